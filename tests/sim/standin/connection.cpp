#include "sim/standin/connection.hpp"

#include <algorithm>
#include <utility>

namespace pw::quic::standin {

using event::ErrorType;

namespace {

constexpr std::uint8_t kProbes = 2;  // a time-out, so that one more loss costs nothing (RFC 9002 section 6.2.4)

}  // namespace

Connection::Connection(Shared& shared, Handle handle, Instant now, std::span<const PathAddress> candidates,
                       const PeerId& expected, Protocol protocol, std::uint64_t first_id)
    : shared_{shared},
      handle_{handle},
      dialled_{true},
      protocol_{protocol},
      promises_{kHello},
      expected_{expected},
      paths_{candidates},
      first_id_{first_id},
      remote_id_{first_id},
      nonce_{shared.rng.next()},
      give_up_{saturating_add(now, shared.options.handshake_timeout)},
      idle_since_{now},
      idle_timeout_{shared.options.idle_timeout},
      max_peers_streams_{shared.options.max_streams_bidi},
      max_data_in_{shared.options.connection_window} {}

Connection::Connection(Shared& shared, Handle handle, Instant now, const PathAddress& from, const Header& header)
    : shared_{shared},
      handle_{handle},
      dialled_{false},
      paths_{from},
      first_id_{header.destination},
      remote_id_{header.source},
      nonce_{shared.rng.next()},
      give_up_{saturating_add(now, shared.options.handshake_timeout)},
      idle_since_{now},
      idle_timeout_{shared.options.idle_timeout},
      max_peers_streams_{shared.options.max_streams_bidi},
      max_data_in_{shared.options.connection_window} {}

Parameters Connection::parameters() const {
  const Options& o = shared_.options;
  return {o.idle_timeout, o.stream_window, o.connection_window, o.max_streams_bidi};
}

// ---- time and endings

Instant Connection::deadline() const {
  const Instant idle = saturating_add(idle_since_, std::max(idle_timeout_, 3 * recovery_.pto()));
  const Instant paced = paced_ ? recovery_.paced_until() : kNever;
  return earlier(earlier(give_up_, idle), earlier(recovery_.deadline(), paced));
}

void Connection::expire(Instant now) {
  if (now >= give_up_) return end(Ending::Kind::silent, false, ErrorType::timeout, {}, "no handshake in time");
  if (now >= idle_since_ + std::max(idle_timeout_, 3 * recovery_.pto()))
    return end(Ending::Kind::silent, false, ErrorType::timeout, {}, "nothing was heard until the idle timeout");
  shared_.lost.clear();
  if (recovery_.expire(now, shared_.lost)) {
    probes_ = kProbes;
    promises_ |= kPing;
    // The oldest goes again: whether it was lost will be seen.
    const Sent& oldest = recovery_.waiting().front();
    promise_again(oldest);
  }
  for (const Sent& packet : shared_.lost) {
    promise_again(packet);
    datagrams_lost_ += packet.datagrams;
  }
}

void Connection::reset_by_peer() {
  end(Ending::Kind::draining, false, ErrorType::reset, {}, "the peer knows nothing of this connection");
}

void Connection::end(Ending::Kind kind, bool local, ErrorType error, std::optional<std::uint64_t> code,
                     std::string detail) {
  if (ended_) return;
  Ending& e = ended_.emplace();
  e.kind = kind;
  e.closed = {handle_, local, error, code, std::move(detail), peer_, paths_.first().remote};
}

void Connection::fail(ErrorType error, std::string detail) {
  if (ended_) return;
  Buffer packet = close_packet(CloseKind::error, static_cast<std::uint64_t>(error), detail);
  end(Ending::Kind::closing, false, error, {}, std::move(detail));
  ended_->close_packet = std::move(packet);
}

void Connection::close(Instant now, std::uint64_t application_code, std::string_view reason) {
  if (complete_) write(now);  // what was said before goodbye
  if (ended_) return;
  Buffer packet = close_packet(CloseKind::application, application_code, reason);
  end(Ending::Kind::closing, true, ErrorType::unknown, application_code, std::string{reason});
  ended_->close_packet = std::move(packet);
}

// ---- commands

Stream* Connection::find(StreamId id) {
  const auto found = std::ranges::find(streams_, id, &Stream::id);
  return found == streams_.end() ? nullptr : &*found;
}

Result<StreamId> Connection::open_stream() {
  if (!established_) return pw::fail("not established yet");
  if (opened_ >= max_opened_) return pw::fail("the peer allows no more streams");
  const auto id = static_cast<StreamId>(4 * opened_++ + (dialled_ ? 0 : 1));
  streams_.emplace_back(id, peers_.stream_window, shared_.options.stream_window);
  return id;
}

Status Connection::write_stream(StreamId id, ByteView bytes, bool fin) {
  Stream* stream = find(id);
  if (stream == nullptr) return pw::fail("the stream is gone");
  if (stream->fin_queued) return pw::fail("the stream was finished");
  if (stream->pending() + bytes.size() > shared_.options.max_queued_stream_bytes) {
    stream->was_full = stream->owes_drained = true;
    return pw::fail("the stream's queue is full");
  }
  stream->append(bytes);
  stream->owes_drained |= !bytes.empty();
  stream->fin_queued = fin;
  return {};
}

void Connection::consume(StreamId id, std::size_t bytes) {
  Stream* stream = find(id);
  if (stream == nullptr) return;  // ended: its share was given back then
  const std::uint64_t n = std::min<std::uint64_t>(bytes, stream->unconsumed);
  stream->unconsumed -= n;
  stream->consumed += n;
  data_consumed_ += n;
  // A window is told anew when half of it is used up.
  const Options& o = shared_.options;
  if (2 * (stream->max_in - stream->consumed) < o.stream_window) {
    stream->max_in = stream->consumed + o.stream_window;
    stream->owes_window = true;
  }
  if (2 * (max_data_in_ - data_consumed_) < o.connection_window) {
    max_data_in_ = data_consumed_ + o.connection_window;
    promises_ |= kWindow;
  }
}

bool Connection::write_datagram(ByteView bytes) {
  if (!established_ || bytes.empty() || bytes.size() > max_datagram(protocol_)) return false;
  if (datagrams_.size() >= shared_.options.max_queued_datagrams) {
    datagrams_.erase(datagrams_.begin());
    ++shared_.dropped_datagrams;
  }
  datagrams_.emplace_back(bytes.begin(), bytes.end());
  return true;
}

void Connection::set_paths(std::span<const PathAddress> paths, std::optional<Instant> lost_since) {
  if (!established_ || paths.empty()) return;
  paths = paths.first(std::min(paths.size(), shared_.options.max_dial_candidates));
  for (const PathAddress& path : paths)
    if (lost_since && !paths_.contains(path))
      recent_.since(*lost_since, [&](const RecentPackets::Sent& sent) {
        shared_.transmits.push_back({handle_, path, sent.segment, sent.bytes});
      });
  paths_.set(paths);
}

// ---- getters

Stats Connection::stats() const {
  Stats s;
  recovery_.fill(s);
  s.datagrams_lost = datagrams_lost_;
  return s;
}

std::size_t Connection::pending(StreamId id) const {
  const Stream* stream = find(id);
  return stream == nullptr ? 0 : stream->pending();
}

}  // namespace pw::quic::standin
