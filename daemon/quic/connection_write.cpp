// What leaves a connection: packets as long as flow control and congestion control allow, and the last one.
#include <algorithm>
#include <array>
#include <utility>

#include "quic/connection.hpp"

namespace pw::quic {
namespace {

/// More than one vector a packet only when small writes wait in a row.
constexpr std::size_t kMaxVectors = 8;

/// RFC 9002, section 7.7: "Senders MUST either use pacing or limit such bursts. Senders SHOULD limit bursts to the initial
/// congestion window". Handshakes are paced; later bursts are limited, and what is left goes out as acknowledgements come.
/// ngtcp2's pacer counts by the smoothed RTT, which is seconds after one end was suspended: it held probes back for
/// seconds, and a path was called dead for it.
constexpr std::size_t kMaxBurst = 10;  // packets

}  // namespace

Stream* Connection::next_stream() {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[(turn_ + i) % streams_.size()];
    if (!stream.has_work()) continue;
    turn_ = (turn_ + i) % streams_.size();
    return &stream;
  }
  return nullptr;
}

ngtcp2_ssize Connection::write_next_datagram(std::uint8_t* out, ngtcp2_tstamp ts) {
  const Buffer& datagram = datagrams_.front();
  int accepted = 0;
  const ngtcp2_ssize n =
      ngtcp2_conn_write_datagram(conn_, nullptr, nullptr, out, payload(), &accepted, NGTCP2_WRITE_DATAGRAM_FLAG_MORE,
                                 datagrams_sent_, datagram.data(), datagram.size(), ts);
  const bool refused = n == NGTCP2_ERR_INVALID_ARGUMENT || n == NGTCP2_ERR_INVALID_STATE;
  if (accepted != 0 || refused) {
    ++datagrams_sent_;
    datagrams_.erase(datagrams_.begin());
    if (datagrams_.empty()) datagrams_ = {};  // an idle connection holds nothing
  }
  if (refused) {
    ++shared_.dropped_datagrams;
    return NGTCP2_ERR_WRITE_MORE;
  }
  return n;
}

ngtcp2_ssize Connection::write_from(Stream& stream, std::uint8_t* out, ngtcp2_tstamp ts) {
  std::array<ngtcp2_vec, kMaxVectors> vectors;
  const std::size_t count = stream.out.gather(vectors);
  std::size_t gathered = 0;
  for (std::size_t i = 0; i < count; ++i) gathered += vectors[i].len;
  const bool fin = stream.fin_queued && gathered == stream.out.unsent();
  const std::uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE | (fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0U);
  ngtcp2_ssize taken = -1;
  const ngtcp2_ssize n = ngtcp2_conn_writev_stream(conn_, nullptr, nullptr, out, payload(), &taken, flags, stream.id,
                                                   count > 0 ? vectors.data() : nullptr, count, ts);
  if (taken >= 0) {
    stream.out.sent(static_cast<std::size_t>(taken));
    if (fin && static_cast<std::size_t>(taken) == gathered) stream.fin_sent = true;
    ++turn_;
  }
  switch (n) {
    case NGTCP2_ERR_STREAM_DATA_BLOCKED:
      stream.blocked = true;
      return NGTCP2_ERR_WRITE_MORE;
    case NGTCP2_ERR_STREAM_SHUT_WR:
    case NGTCP2_ERR_STREAM_NOT_FOUND:
      stream.write_closed = true;
      return NGTCP2_ERR_WRITE_MORE;
    default:
      return n;
  }
}

/// One packet; 0 when there is none, or none may leave now; an error of ngtcp2 that ends the connection. Every turn of
/// the loop uses up a datagram, uses up stream data or excludes a stream, so it ends.
ngtcp2_ssize Connection::write_packet(std::uint8_t* out, ngtcp2_tstamp ts) {
  for (;;) {
    ngtcp2_ssize n = 0;
    if (!datagrams_.empty())
      n = write_next_datagram(out, ts);
    else if (Stream* stream = next_stream())
      n = write_from(*stream, out, ts);
    else
      n = ngtcp2_conn_writev_stream(conn_, nullptr, nullptr, out, payload(), nullptr, NGTCP2_WRITE_STREAM_FLAG_NONE,
                                    -1, nullptr, 0, ts);
    if (n == NGTCP2_ERR_WRITE_MORE) {
      packet_open_ = true;
      continue;
    }
    if (n >= 0) packet_open_ = false;
    return n;
  }
}

bool Connection::write(Instant now) {
  packet_open_ = false;
  held_ = 0;
  const ngtcp2_tstamp ts = timestamp(now);
  if (bytes_in_flight() == 0) waiting_since_ = now;
  for (Stream& stream : streams_) stream.blocked = false;
  std::size_t total = 0, waiting = 0, segments = 0;
  for (;;) {
    const ngtcp2_ssize n = write_packet(shared_.scratch.data() + waiting, ts);
    if (n < 0) {
      transmit(now, waiting, segments);
      // ngtcp2 asserts that a packet once begun is finished, even before the last one of all: then it is not written.
      if (packet_open_)
        end(Ending::Kind::silent, false, verdict_of_library(static_cast<int>(n), 0));
      else
        fail(now, static_cast<int>(n));
      return true;
    }
    if (n == 0) break;
    const auto size = static_cast<std::size_t>(n);
    total += size;
    waiting += size;
    ++segments;
    // Segments are of one size; a shorter one can only be the last.
    if (size < payload() || segments == kMaxSegments) {
      transmit(now, waiting, segments);
      waiting = segments = 0;
    }
    if (total >= kMaxBurst * payload()) break;
  }
  transmit(now, waiting, segments);
  if (total > 0 && !handshake_complete_) ngtcp2_conn_update_pkt_tx_time(conn_, ts);
  return total > 0;
}

void Connection::transmit(Instant now, std::size_t bytes, std::size_t segments) {
  if (bytes == 0) return;
  const auto begin = shared_.scratch.begin();
  const std::size_t segment = segments > 1 ? payload() : bytes;
  if (established_ && protocol_ == Protocol::peer)
    recent_.add(now, segments > 1 ? segment : 0, ByteView{shared_.scratch}.first(bytes));
  paths_.for_each(bytes, segment, [&](const PathAddress& path, std::size_t fit) {
    shared_.transmits.push_back(
        {handle_, path, fit > segment ? segment : 0, Buffer(begin, begin + static_cast<std::ptrdiff_t>(fit))});
  });
}

// ---- endings

Buffer Connection::close_packet(Instant now, const ngtcp2_ccerr& error) {
  const ngtcp2_ssize n = ngtcp2_conn_write_connection_close(conn_, nullptr, nullptr, shared_.scratch.data(),
                                                            payload(), &error, timestamp(now));
  // Nothing can be sent before the first packet, or beyond three times what an unproved address sent.
  if (n <= 0) return {};
  const auto begin = shared_.scratch.begin();
  return Buffer(begin, begin + n);
}

void Connection::end(Ending::Kind kind, bool local, Verdict verdict) {
  Ending& e = ended_.emplace();
  e.kind = kind;
  e.closed = {
      handle_, local, verdict.error, verdict.application_code, std::move(verdict.detail), peer_, paths_.first().remote};
  e.pto = Duration{static_cast<std::int64_t>(ngtcp2_conn_get_pto(conn_))};
}

void Connection::close(Instant now, std::uint64_t application_code, std::string_view reason) {
  if (handshake_complete_) write(now);  // what was said before goodbye
  if (ended_) return;
  const ByteView cut = as_bytes(reason.substr(0, kMaxReason));
  ngtcp2_ccerr error;
  ngtcp2_ccerr_set_application_error(&error, application_code, cut.data(), cut.size());
  end(Ending::Kind::closing, true, {event::ErrorType::unknown, application_code, std::string{reason}});
  ended_->close_packet = close_packet(now, error);
}

void Connection::fail(Instant now, int error) {
  if (ended_) return;
  if (error == NGTCP2_ERR_DRAINING) {
    if (reset_seen_) return reset_by_peer();
    return end(Ending::Kind::draining, false, verdict_of_peer(*ngtcp2_conn_get_ccerr(conn_)));
  }
  const std::uint8_t alert = ngtcp2_conn_get_tls_alert(conn_);
  Verdict verdict = verdict_of_library(error, alert);
  if (error == NGTCP2_ERR_CRYPTO && tls_ && !tls_->refusal().empty()) verdict.detail = tls_->refusal();
  switch (error) {
    case NGTCP2_ERR_RETRY:
      return end(Ending::Kind::retry, false, std::move(verdict));
    case NGTCP2_ERR_DROP_CONN:
    case NGTCP2_ERR_IDLE_CLOSE:
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
    case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
      return end(Ending::Kind::silent, false, std::move(verdict));
    default:
      break;
  }
  const std::string reason = verdict.detail.substr(0, kMaxReason);
  ngtcp2_ccerr said;
  if (error == NGTCP2_ERR_CRYPTO)
    ngtcp2_ccerr_set_tls_alert(&said, alert, as_bytes(reason).data(), reason.size());
  else
    ngtcp2_ccerr_set_liberr(&said, error, as_bytes(reason).data(), reason.size());
  end(Ending::Kind::closing, false, std::move(verdict));
  ended_->close_packet = close_packet(now, said);
}

}  // namespace pw::quic
