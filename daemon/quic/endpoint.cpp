#include "quic/endpoint.hpp"

#include <ngtcp2/ngtcp2.h>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/deadlines.hpp"
#include "quic/connection.hpp"
#include "quic/lingering.hpp"
#include "quic/shared.hpp"
#include "quic/source_limits.hpp"
#include "quic/stateless.hpp"

namespace pw::quic {
namespace {

using event::RejectReason;

/// A timer that is due again at once waits this long (RFC 9002 section 6.1.2, kGranularity): no loop without progress.
constexpr Duration kTimerGranularity = 1ms;
/// RFC 9000 section 10.2: "at least three times the current PTO".
constexpr int kLingerPtos = 3;

}  // namespace

struct Endpoint::Impl {
  Impl(Options options, const Identity& identity, Rng rng)
      : shared{std::move(options), identity, std::move(rng)},
        stateless{shared},
        sources{shared.options.initials_per_second, shared.options.max_sources, shared.hash} {}

  Connection* find(Handle handle) {
    const auto found = connections.find(handle);
    return found == connections.end() ? nullptr : found->second.get();
  }
  void advance(Instant to) { now = std::max(now, to); }  // ngtcp2 asserts that time goes on
  void mark(Connection& c) {
    if (std::exchange(c.dirty, true)) return;
    dirty.push_back(c.handle());
  }
  void reject(RejectReason reason, const PathAddress& from) { rejected.push_back({reason, from.remote}); }

  void settle(Connection& c);
  void retire(Connection& c);
  void write_dirty();
  void expire(Handle handle);

  std::optional<Handle> handle_datagram(const PathAddress& from, ByteView bytes);
  std::optional<Handle> handle_known(Handle handle, const PathAddress& from, ByteView bytes);
  std::optional<Handle> handle_unknown(const ngtcp2_version_cid& header, const PathAddress& from, ByteView bytes);
  std::optional<Handle> handle_initial(const PathAddress& from, ByteView bytes);
  std::optional<Handle> accept(const PathAddress& from, ByteView bytes, const Origin& origin);

  Shared shared;  // outlives the connections
  Stateless stateless;
  SourceLimits sources;
  Instant now{};
  std::uint64_t last_handle = 0;
  std::unordered_map<Handle, std::unique_ptr<Connection>> connections;
  std::unordered_map<Handle, Lingering> lingering;
  std::deque<Handle> lingering_order;  // the oldest first; may name some that are gone
  Deadlines<Handle> deadlines;
  std::vector<Handle> dirty;
  std::deque<Rejected> rejected;
  std::size_t half_open = 0;
};

// ---- the life of a connection

/// After anything that may have changed a connection: its end, its half-openness, its deadline.
void Endpoint::Impl::settle(Connection& c) {
  const bool half = c.half_open() && !c.ended();
  if (half != c.counted_half_open) {
    half_open = half ? half_open + 1 : half_open - 1;
    c.counted_half_open = half;
  }
  if (c.ended()) return retire(c);
  deadlines.set(c.handle(), c.deadline());
}

void Endpoint::Impl::retire(Connection& c) {
  const Handle handle = c.handle();
  Ending ending = c.take_ending();
  if (ending.closed.local)  // "No further event of it but Closed."
    std::erase_if(shared.events, [handle](const Event& event) {
      return std::visit([](const auto& e) { return e.connection; }, event) == handle;
    });
  shared.events.push_back(std::move(ending.closed));
  // Bounded like the connections themselves: who closes more at once than that is not waited for.
  while (lingering.size() >= shared.options.max_connections && !lingering_order.empty()) {
    deadlines.clear(lingering_order.front());
    lingering.erase(lingering_order.front());
    lingering_order.pop_front();
  }
  const auto [left, added] = lingering.try_emplace(handle, shared, c, std::move(ending.close_packet));
  lingering_order.push_back(handle);
  left->second.say_close();
  const bool waits = ending.kind == Ending::Kind::draining || ending.kind == Ending::Kind::closing;
  // The silent ones stay until the next timeout, so that stats() still answers whoever polls their Closed.
  deadlines.set(handle, waits ? saturating_add(now, kLingerPtos * ending.pto) : now);
  connections.erase(handle);
}

void Endpoint::Impl::write_dirty() {
  for (std::size_t i = 0; i < dirty.size(); ++i) {
    Connection* c = find(dirty[i]);
    if (c == nullptr) continue;
    c->dirty = false;
    c->write(now);
    settle(*c);
  }
  dirty.clear();
}

void Endpoint::Impl::expire(Handle handle) {
  if (Connection* c = find(handle)) {
    c->expire(now);
    if (!c->ended()) c->write(now);
    settle(*c);
    if (find(handle) != nullptr && c->deadline() <= now) deadlines.set(handle, now + kTimerGranularity);
    return;
  }
  deadlines.clear(handle);
  lingering.erase(handle);
  while (!lingering_order.empty() && !lingering.contains(lingering_order.front())) lingering_order.pop_front();
}

// ---- datagrams

std::optional<Handle> Endpoint::Impl::handle_datagram(const PathAddress& from, ByteView bytes) {
  if (bytes.empty()) return reject(RejectReason::empty, from), std::nullopt;
  ngtcp2_version_cid header{};
  const int decoded = ngtcp2_pkt_decode_version_cid(&header, bytes.data(), bytes.size(), kConnectionIdSize);
  if (decoded != 0 && decoded != NGTCP2_ERR_VERSION_NEGOTIATION) {
    const bool strange_version = bytes.size() >= 5 && bytes[0] >= 0x80 &&
                                 !ngtcp2_is_supported_version(static_cast<std::uint32_t>(bytes[1]) << 24 |
                                                              static_cast<std::uint32_t>(bytes[2]) << 16 |
                                                              static_cast<std::uint32_t>(bytes[3]) << 8 | bytes[4]);
    return reject(strange_version ? RejectReason::unsupported_version : RejectReason::malformed, from), std::nullopt;
  }
  if (header.dcidlen <= NGTCP2_MAX_CIDLEN) {
    const auto known = shared.ids.find(ConnectionId{ByteView{header.dcid, header.dcidlen}});
    if (known != shared.ids.end()) return handle_known(known->second, from, bytes);
  }
  return handle_unknown(header, from, bytes);
}

std::optional<Handle> Endpoint::Impl::handle_known(Handle handle, const PathAddress& from, ByteView bytes) {
  Connection* c = find(handle);
  if (c == nullptr) {
    if (const auto left = lingering.find(handle); left != lingering.end()) left->second.handle_datagram();
    return std::nullopt;
  }
  if (!c->read(now, bytes)) return reject(RejectReason::wrong_source, from), std::nullopt;
  if (!c->ended()) mark(*c);
  settle(*c);
  return handle;
}

std::optional<Handle> Endpoint::Impl::handle_unknown(const ngtcp2_version_cid& header, const PathAddress& from,
                                                     ByteView bytes) {
  const bool long_header = (bytes[0] & 0x80) != 0;
  if (!long_header) {
    // RFC 9000 section 10.3.1: resets carry random IDs; the last 16 bytes tell.
    if (bytes.size() >= NGTCP2_STATELESS_RESET_TOKENLEN) {
      const auto known = shared.reset_tokens.find(ResetToken{bytes.last(NGTCP2_STATELESS_RESET_TOKENLEN).data()});
      if (known != shared.reset_tokens.end()) {
        const Handle handle = known->second;
        if (Connection* c = find(handle)) {
          c->reset_by_peer();
          settle(*c);
        }
        return handle;
      }
    }
    stateless.reset(now, from, ConnectionId{ByteView{header.dcid, header.dcidlen}}, bytes.size());
    return reject(RejectReason::unknown_connection, from), std::nullopt;
  }
  if (header.version == 0) return reject(RejectReason::unknown_connection, from), std::nullopt;
  if (header.version != NGTCP2_PROTO_VER_V1) {
    if (bytes.size() >= NGTCP2_MAX_UDP_PAYLOAD_SIZE) stateless.version_negotiation(now, from, header);
    return reject(RejectReason::unsupported_version, from), std::nullopt;
  }
  return handle_initial(from, bytes);
}

std::optional<Handle> Endpoint::Impl::handle_initial(const PathAddress& from, ByteView bytes) {
  Origin origin{};
  if (ngtcp2_accept(&origin.header, bytes.data(), bytes.size()) != 0) {
    constexpr std::uint8_t kTypeMask = 0xf0;
    constexpr std::uint8_t kInitial = 0xc0;  // RFC 9000 section 17.2
    const bool initial = (bytes[0] & kTypeMask) == kInitial;
    const bool small = initial && bytes.size() < NGTCP2_MAX_UDP_PAYLOAD_SIZE;
    const bool other = (bytes[0] & 0x40) != 0 && !initial;
    return reject(small   ? RejectReason::initial_too_small
                  : other ? RejectReason::unknown_connection
                          : RejectReason::malformed,
                  from),
           std::nullopt;
  }
  if (!sources.take(now, from.remote.ip)) return reject(RejectReason::rate_limited, from), std::nullopt;
  if (connections.size() >= shared.options.max_connections || half_open >= shared.options.max_half_open) {
    stateless.refuse(now, from, origin.header, NGTCP2_CONNECTION_REFUSED);
    return reject(RejectReason::half_open_limit, from), std::nullopt;
  }
  switch (stateless.check(now, from.remote, origin.header, origin.before_retry)) {
    case Stateless::Token::valid:
      break;
    case Stateless::Token::invalid:
      stateless.refuse(now, from, origin.header, NGTCP2_INVALID_TOKEN);
      return reject(RejectReason::invalid_token, from), std::nullopt;
    case Stateless::Token::none:
      if (half_open < shared.options.retry_threshold) break;
      stateless.retry(now, from, origin.header);
      return std::nullopt;
  }
  return accept(from, bytes, origin);
}

std::optional<Handle> Endpoint::Impl::accept(const PathAddress& from, ByteView bytes, const Origin& origin) {
  const Handle handle{++last_handle};
  auto made = Connection::accept(shared, handle, now, from, origin);
  if (!made) return reject(RejectReason::half_open_limit, from), std::nullopt;
  Connection& c = *made;
  c.read(now, bytes);
  if (c.ended()) {
    // Nothing was authentic yet, so nobody needs to hear of it.
    const Ending ending = c.take_ending();
    if (ending.kind == Ending::Kind::retry) return stateless.retry(now, from, origin.header), std::nullopt;
    if (ending.kind == Ending::Kind::silent) return reject(RejectReason::malformed, from), std::nullopt;
  }
  connections.emplace(handle, std::move(made));
  if (!c.ended()) mark(c);
  settle(c);
  return handle;
}

// ---- the door

Endpoint::Endpoint(Options options, const Identity& identity, Rng rng)
    : impl_{std::make_unique<Impl>(std::move(options), identity, std::move(rng))} {}
Endpoint::~Endpoint() = default;

Result<Handle> Endpoint::dial(Instant now, std::span<const PathAddress> candidates, const PeerId& expected) {
  Impl& n = *impl_;
  n.advance(now);
  if (candidates.empty()) return fail("no address to dial");
  if (n.connections.size() >= n.shared.options.max_connections) return fail("too many connections");
  candidates = candidates.first(std::min(candidates.size(), n.shared.options.max_dial_candidates));
  const Handle handle{++n.last_handle};
  auto made = Connection::dial(n.shared, handle, n.now, candidates, expected);
  if (!made) return fail("no memory for a connection");
  Connection& c = *made;
  n.connections.emplace(handle, std::move(made));
  n.mark(c);
  n.settle(c);
  return handle;
}

Result<StreamId> Endpoint::open_stream(Handle connection) {
  Connection* c = impl_->find(connection);
  if (c == nullptr) return fail("the connection is gone");
  return c->open_stream();
}

Status Endpoint::write_stream(Handle connection, StreamId stream, ByteView bytes, bool fin) {
  Connection* c = impl_->find(connection);
  if (c == nullptr) return fail("the connection is gone");
  impl_->mark(*c);
  return c->write_stream(stream, bytes, fin);
}

void Endpoint::consume(Handle connection, StreamId stream, std::size_t bytes) {
  Connection* c = impl_->find(connection);
  if (c == nullptr) return;
  c->consume(stream, bytes);
  impl_->mark(*c);
}

bool Endpoint::write_datagram(Handle connection, ByteView bytes) {
  Connection* c = impl_->find(connection);
  if (c == nullptr || !c->write_datagram(bytes)) return false;
  impl_->mark(*c);
  return true;
}

void Endpoint::close(Instant now, Handle connection, std::uint64_t application_code, std::string_view reason) {
  impl_->advance(now);
  Connection* c = impl_->find(connection);
  if (c == nullptr) return;
  c->close(impl_->now, application_code, reason);
  impl_->settle(*c);
}

void Endpoint::set_paths(Handle connection, std::span<const PathAddress> paths) {
  if (Connection* c = impl_->find(connection)) c->set_paths(paths);
}

void Endpoint::flush(Instant now) {
  impl_->advance(now);
  impl_->write_dirty();
}

std::optional<Handle> Endpoint::handle_datagram(Instant now, Instant received_at, const PathAddress& from,
                                                ByteView bytes) {
  impl_->advance(now);
  impl_->shared.from = from;
  impl_->shared.received_at = received_at;
  return impl_->handle_datagram(from, bytes);
}

void Endpoint::handle_timeout(Instant now) {
  impl_->advance(now);
  while (const Handle* due = impl_->deadlines.due(impl_->now)) impl_->expire(Handle{*due});
}

std::optional<Transmit> Endpoint::poll_transmit() {
  auto& queue = impl_->shared.transmits;
  if (queue.empty()) impl_->write_dirty();
  if (queue.empty()) return std::nullopt;
  Transmit transmit = std::move(queue.front());
  queue.pop_front();
  return transmit;
}

std::optional<Event> Endpoint::poll_event() {
  auto& queue = impl_->shared.events;
  if (queue.empty()) return std::nullopt;
  Event event = std::move(queue.front());
  queue.pop_front();
  return event;
}

std::optional<Rejected> Endpoint::poll_rejected() {
  if (impl_->rejected.empty()) return std::nullopt;
  const Rejected rejected = impl_->rejected.front();
  impl_->rejected.pop_front();
  return rejected;
}

std::uint64_t Endpoint::take_dropped_datagrams() { return std::exchange(impl_->shared.dropped_datagrams, 0); }

Instant Endpoint::poll_timeout() const { return impl_->dirty.empty() ? impl_->deadlines.earliest() : impl_->now; }

bool Endpoint::alive(Handle connection) const { return impl_->connections.contains(connection); }

Stats Endpoint::stats(Handle connection) const {
  if (const Connection* c = impl_->find(connection)) return c->stats();
  const auto left = impl_->lingering.find(connection);
  return left == impl_->lingering.end() ? Stats{} : left->second.stats();
}

const std::array<std::uint8_t, 32>& Endpoint::exporter(Handle connection) const {
  static constexpr Digest kNone{};
  if (const Connection* c = impl_->find(connection)) return c->exporter();
  const auto left = impl_->lingering.find(connection);
  return left == impl_->lingering.end() ? kNone : left->second.exporter();
}

std::size_t Endpoint::pending(Handle connection, StreamId stream) const {
  const Connection* c = impl_->find(connection);
  return c == nullptr ? 0 : c->pending(stream);
}

std::size_t Endpoint::connections() const { return impl_->connections.size(); }
std::size_t Endpoint::half_open() const { return impl_->half_open; }

}  // namespace pw::quic
