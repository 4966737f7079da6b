#include "quic/endpoint.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"
#include "quic/endpoint_impl.hpp"

namespace pw::quic {
namespace {

/// A timer that is due again at once, without anything to write, waits this long (RFC 9002 section 6.1.2,
/// kGranularity).
constexpr Duration kTimerGranularity = 1ms;
/// RFC 9000 section 10.2: "at least three times the current PTO".
constexpr int kLingerPtos = 3;

}  // namespace

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
  if (lingering.size() >= shared.options.max_connections) {
    deadlines.clear(lingering.begin()->first);
    lingering.erase(lingering.begin());
  }
  const auto left = lingering.try_emplace(handle, shared, c, std::move(ending.close_packet)).first;
  left->second.say_close();
  const bool waits = ending.kind == Ending::Kind::draining || ending.kind == Ending::Kind::closing;
  // The silent ones stay until time moves on, so that stats() still answers whoever polls their Closed.
  deadlines.set(handle, saturating_add(now, waits ? kLingerPtos * ending.pto : 1ns));
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
    const bool wrote = !c->ended() && c->write(now);
    settle(*c);
    // Pacing may let the next packets go at once; others get their turn first.
    if (find(handle) != nullptr && c->deadline() <= now) deadlines.set(handle, now + (wrote ? 1ns : kTimerGranularity));
    return;
  }
  deadlines.clear(handle);
  lingering.erase(handle);
}

// ---- the door

Endpoint::Endpoint(Options options, const Identity& identity, Rng rng)
    : impl_{std::make_unique<Impl>(std::move(options), identity, std::move(rng))} {}
Endpoint::~Endpoint() = default;

Result<Handle> Endpoint::dial(Instant now, std::span<const PathAddress> candidates, const PeerId& expected,
                              Protocol protocol) {
  Impl& n = *impl_;
  n.advance(now);
  if (candidates.empty()) return fail("no address to dial");
  if (n.connections.size() >= n.shared.options.max_connections) return fail("too many connections");
  candidates = candidates.first(std::min(candidates.size(), n.shared.options.max_dial_candidates));
  const Handle handle{++n.last_handle};
  auto made = Connection::dial(n.shared, handle, n.now, candidates, expected, protocol);
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

void Endpoint::set_paths(Handle connection, std::span<const PathAddress> paths, std::optional<Instant> lost_since) {
  if (Connection* c = impl_->find(connection)) c->set_paths(paths, lost_since);
}

void Endpoint::name_channel(Instant now, Via via, const PeerId& relay, const PeerId& peer) {
  impl_->sources.name(now, via, relay, peer);
}

void Endpoint::forget_channel(Via via) { impl_->sources.forget(via); }

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
  return taken(queue);
}

std::optional<Event> Endpoint::poll_event() {
  return taken(impl_->shared.events);
}

std::optional<Rejected> Endpoint::poll_rejected() {
  return taken(impl_->rejected);
}

std::uint64_t Endpoint::take_dropped_datagrams() { return std::exchange(impl_->shared.dropped_datagrams, 0); }

Instant Endpoint::poll_timeout() const { return impl_->dirty.empty() ? impl_->deadlines.earliest() : impl_->now; }

bool Endpoint::alive(Handle connection) const { return impl_->connections.contains(connection); }

bool Endpoint::answered(Handle connection) const {
  const Connection* c = impl_->find(connection);
  return c != nullptr && c->answered();
}

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

std::size_t Endpoint::queued_datagrams(Handle connection) const {
  const Connection* c = impl_->find(connection);
  return c == nullptr ? 0 : c->queued_datagrams();
}

std::size_t Endpoint::connections() const { return impl_->connections.size(); }
std::size_t Endpoint::half_open() const { return impl_->half_open; }

}  // namespace pw::quic
