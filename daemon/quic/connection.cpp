#include "quic/connection.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "quic/callbacks.hpp"

namespace pw::quic {
namespace {

/// The constant path that ngtcp2 sees; what it is doesn't matter, that it never changes does (docs/adr/0001).
const ngtcp2_path& synthetic_path() {
  static const auto storage = [] {
    ngtcp2_path_storage s;
    sockaddr_in local{}, remote{};
    local.sin_family = remote.sin_family = AF_INET;
    local.sin_port = 1;
    remote.sin_port = 2;
    ngtcp2_path_storage_init(&s, reinterpret_cast<const sockaddr*>(&local), sizeof local,
                             reinterpret_cast<const sockaddr*>(&remote), sizeof remote, nullptr);
    return s;
  }();
  static const ngtcp2_path path{{const_cast<sockaddr*>(&storage.local_addrbuf.sa), sizeof(sockaddr_in)},
                                {const_cast<sockaddr*>(&storage.remote_addrbuf.sa), sizeof(sockaddr_in)},
                                nullptr};
  return path;
}

/// The default of 333 ms would make the first loss cost a second (RFC 9002 section 6.2.2 allows another).
constexpr Duration kInitialRtt = 100ms;
/// Each end keeps one spare connection ID of the other's: nothing here migrates (RFC 9000 section 18.2).
constexpr std::uint64_t kConnectionIds = 2;

/// Type 0x31 and two bytes of length (RFC 9221 section 4): ngtcp2 never writes 0x30, which has none.
constexpr std::size_t kDatagramHeader = 3;
/// Of a short header packet beside its connection ID (RFC 9000 section 17.3.1): first byte, the longest packet number,
/// and the AEAD's tag (RFC 9001 section 5.3).
constexpr std::size_t kPacketOverhead = 1 + 4 + 16;
static_assert(kPacketOverhead + kConnectionIdSize + kDatagramHeader + kMaxServiceDatagram == kServiceUdpPayload,
              "a packet of kUdpPayload and its channel fit whole, whatever the length of the packet number");

ngtcp2_settings settings_for(Shared& shared, Instant now) {
  ngtcp2_settings s;
  ngtcp2_settings_default(&s);
  s.initial_ts = timestamp(now);
  s.initial_rtt = static_cast<ngtcp2_duration>(kInitialRtt.count());
  s.handshake_timeout = static_cast<ngtcp2_duration>(shared.options.handshake_timeout.count());
  s.max_tx_udp_payload_size = kServiceUdpPayload;  // each write says how much of it is meant
  s.no_tx_udp_payload_size_shaping = 1;
  s.no_pmtud = 1;
  s.ack_thresh = 1;  // an echo is three packets instead of four
  s.rand_ctx.native_handle = &shared.rng;
  return s;
}

ngtcp2_transport_params params_for(const Shared& shared) {
  const Options& o = shared.options;
  ngtcp2_transport_params p;
  ngtcp2_transport_params_default(&p);
  p.initial_max_stream_data_bidi_local = o.stream_window;
  p.initial_max_stream_data_bidi_remote = o.stream_window;
  p.initial_max_data = o.connection_window;
  p.initial_max_streams_bidi = o.max_streams_bidi;
  p.max_idle_timeout = static_cast<ngtcp2_duration>(o.idle_timeout.count());
  p.max_udp_payload_size = kServiceUdpPayload;
  p.active_connection_id_limit = kConnectionIds;
  p.max_datagram_frame_size = kServiceUdpPayload;
  p.disable_active_migration = 1;
  return p;
}

}  // namespace

std::unique_ptr<Connection> Connection::dial(Shared& shared, Handle handle, Instant now,
                                             std::span<const PathAddress> candidates, const PeerId& expected,
                                             Protocol protocol) {
  std::unique_ptr<Connection> c{new Connection{shared, handle, true, SendingPaths{candidates}}};
  c->protocol_ = protocol;
  c->give_up_ = saturating_add(now, shared.options.handshake_timeout);
  const ngtcp2_cid remote = shared.new_id(kFirstIdSize).native();
  if (!c->start(now, expected, shared.new_id(), remote, nullptr)) return nullptr;
  return c;
}

std::unique_ptr<Connection> Connection::accept(Shared& shared, Handle handle, Instant now, const PathAddress& from,
                                               const Origin& origin) {
  std::unique_ptr<Connection> c{new Connection{shared, handle, false, SendingPaths{from}}};
  if (!c->start(now, std::nullopt, shared.new_id(), origin.header.scid, &origin)) return nullptr;
  // Repeated Initials, also those that came over another candidate path, still carry the ID that the client made up.
  c->add_id(ConnectionId{origin.header.dcid});
  return c;
}

bool Connection::start(Instant now, const std::optional<PeerId>& expected, const ConnectionId& local,
                       const ngtcp2_cid& remote, const Origin* origin) {
  const auto role = dialled_ ? TlsSession::Role::dialler : TlsSession::Role::acceptor;
  const std::array<std::string_view, 2> names{shared_.options.alpn, shared_.options.service_alpn};
  const auto offered = dialled_ ? std::span{names}.subspan(protocol_ == Protocol::peer ? 0 : 1, 1) : std::span{names};
  tls_ = TlsSession::make(shared_.identity, role, offered, expected);
  if (!tls_) return false;
  const ngtcp2_callbacks callbacks = Callbacks::table(dialled_);
  const ngtcp2_cid scid = local.native();
  ngtcp2_settings settings = settings_for(shared_, now);
  ngtcp2_transport_params params = params_for(shared_);
  int made = 0;
  if (dialled_) {
    made = ngtcp2_conn_client_new(&conn_, &remote, &scid, &synthetic_path(), NGTCP2_PROTO_VER_V1, &callbacks, &settings,
                                  &params, nullptr, this);
  } else {
    params.original_dcid = origin->before_retry ? origin->before_retry->native() : origin->header.dcid;
    params.original_dcid_present = 1;
    if (origin->before_retry) {
      params.retry_scid = origin->header.dcid;
      params.retry_scid_present = 1;
      settings.token = origin->header.token;
      settings.tokenlen = origin->header.tokenlen;
      settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
    }
    std::ranges::copy(shared_.reset_token(local).bytes, params.stateless_reset_token);
    params.stateless_reset_token_present = 1;
    made = ngtcp2_conn_server_new(&conn_, &remote, &scid, &synthetic_path(), origin->header.version, &callbacks,
                                  &settings, &params, nullptr, this);
  }
  if (made != 0) {
    conn_ = nullptr;
    return false;
  }
  tls_->attach(conn_);
  add_id(local);
  return true;
}

Connection::~Connection() {
  for (const ConnectionId& id : ids_) shared_.ids.erase(id);
  for (const ResetToken& token : reset_tokens_) shared_.reset_tokens.erase(token);
  if (tls_) tls_->detach();
  if (conn_ != nullptr) ngtcp2_conn_del(conn_);
}

void Connection::add_id(const ConnectionId& id) {
  if (shared_.ids.emplace(id, handle_).second) ids_.push_back(id);
}

void Connection::emit(Event event) {
  if (established_) {
    shared_.events.push_back(std::move(event));
    return;
  }
  // Flow control bounds the streams; datagrams are bounded here.
  if (std::holds_alternative<DatagramReceived>(event) && early_.size() >= shared_.options.max_queued_datagrams) {
    ++shared_.dropped_datagrams;
    return;
  }
  early_.push_back(std::move(event));
}

void Connection::establish() {
  if (established_) return;
  established_ = true;
  give_up_ = kNever;
  peer_ = tls_->peer();
  shared_.events.push_back(Established{handle_, *peer_, dialled_, paths_.first(), protocol_});
  for (Event& event : early_) shared_.events.push_back(std::move(event));
  early_ = {};
}

// ---- input

bool Connection::read(Instant now, ByteView datagram) {
  if (!established_ && !paths_.take(shared_.from, datagram.size())) return false;
  got_datagram_ = got_stream_ = false;
  const ngtcp2_pkt_info info{};
  const int result =
      ngtcp2_conn_read_pkt(conn_, &synthetic_path(), &info, datagram.data(), datagram.size(), timestamp(now));
  if (result != 0) fail(now, result);
  after_callbacks();
  hold_acknowledgement(now);
  return true;
}

void Connection::hold_acknowledgement(Instant now) {
  const bool waits = established_ && protocol_ == Protocol::service && got_datagram_ && !got_stream_ && datagrams_.empty();
  if (waits && held_ == 0) held_since_ = now;
  held_ = waits ? held_ + 1 : 0;
}

void Connection::after_callbacks() {
  if (established_ && tls_) {
    tls_->detach();
    tls_.reset();
  }
  if (ended_) return;
  for (Stream& stream : streams_) {
    if (!stream.aborted) continue;
    // Half a stream is of no use to anybody here: the other direction is shut as well. It ends with stream_close.
    ngtcp2_conn_shutdown_stream(conn_, 0, stream.id, 0);
  }
}

void Connection::expire(Instant now) {
  if (now >= give_up_) return fail(now, NGTCP2_ERR_HANDSHAKE_TIMEOUT);
  if (const int result = ngtcp2_conn_handle_expiry(conn_, timestamp(now)); result != 0) fail(now, result);
}

void Connection::reset_by_peer() {
  reset_seen_ = true;
  end(Ending::Kind::draining, false, {event::ErrorType::reset, {}, "the peer knows nothing of this connection"});
}

Instant Connection::deadline() const {
  const Instant expiry = instant(ngtcp2_conn_get_expiry(conn_));
  return earlier(give_up_, may_wait() ? std::max(expiry, held_since_ + kAcknowledgeWithin) : expiry);
}

// ---- commands

Stream* Connection::find(StreamId id) {
  const auto found = std::ranges::find(streams_, id, &Stream::id);
  return found == streams_.end() ? nullptr : &*found;
}

const Stream* Connection::find(StreamId id) const { return const_cast<Connection*>(this)->find(id); }

Result<StreamId> Connection::open_stream() {
  if (!established_) return pw::fail("not established yet");
  StreamId id = -1;
  if (ngtcp2_conn_open_bidi_stream(conn_, &id, nullptr) != 0) return pw::fail("the peer allows no more streams");
  streams_.emplace_back().id = id;
  return id;
}

Status Connection::write_stream(StreamId id, ByteView bytes, bool fin) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->write_closed) return pw::fail("the stream is gone");
  if (stream->fin_queued) return pw::fail("the stream was finished");
  if (stream->out.size() + bytes.size() > shared_.options.max_queued_stream_bytes) {
    stream->was_full = stream->owes_drained = true;
    return pw::fail("the stream's queue is full");
  }
  stream->out.append(bytes);
  stream->owes_drained |= !bytes.empty();
  stream->fin_queued = fin;
  return {};
}

void Connection::consume(StreamId id, std::size_t bytes) {
  Stream* stream = find(id);
  if (stream == nullptr) return;  // closed: its share was given back then
  const std::uint64_t n = std::min<std::uint64_t>(bytes, stream->unconsumed);
  stream->unconsumed -= n;
  ngtcp2_conn_extend_max_stream_offset(conn_, id, n);
  ngtcp2_conn_extend_max_offset(conn_, n);
}

bool Connection::write_datagram(ByteView bytes) {
  if (!established_ || bytes.empty() || bytes.size() > max_datagram(protocol_)) return false;
  const ngtcp2_transport_params* remote = ngtcp2_conn_get_remote_transport_params(conn_);
  const std::size_t frame = kDatagramHeader + bytes.size();
  if (remote == nullptr || remote->max_datagram_frame_size < frame) return false;
  // Other implementations may have longer IDs, or take shorter packets.
  const std::size_t packet = kPacketOverhead + ngtcp2_conn_get_dcid(conn_)->datalen + frame;
  if (packet > std::min<std::uint64_t>(udp_payload(protocol_), remote->max_udp_payload_size)) return false;
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
  ngtcp2_conn_info info{};
  ngtcp2_conn_get_conn_info(conn_, &info);
  const auto duration = [](ngtcp2_duration d) {
    return d > static_cast<ngtcp2_duration>(Duration::max().count()) ? Duration{}
                                                                     : Duration{static_cast<std::int64_t>(d)};
  };
  return {duration(info.smoothed_rtt), duration(info.min_rtt), duration(ngtcp2_conn_get_pto(conn_)), info.cwnd,
          info.bytes_in_flight,        datagrams_lost_,
          info.bytes_in_flight > 0 ? waiting_since_ : kNever};
}

std::uint64_t Connection::bytes_in_flight() const {
  ngtcp2_conn_info info{};
  ngtcp2_conn_get_conn_info(conn_, &info);
  return info.bytes_in_flight;
}

std::size_t Connection::pending(StreamId id) const {
  const Stream* stream = find(id);
  return stream == nullptr ? 0 : stream->out.size();
}

}  // namespace pw::quic
