#include "quic/callbacks.hpp"

#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>

namespace pw::quic {
namespace {

Connection& of(void* user) { return *static_cast<Connection*>(user); }

}  // namespace

ngtcp2_callbacks Connection::Callbacks::table(bool dialled) {
  ngtcp2_callbacks t{};
  if (dialled) {
    t.client_initial = ngtcp2_crypto_client_initial_cb;
    t.recv_retry = recv_retry;
  } else {
    t.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
  }
  t.recv_crypto_data = recv_crypto_data;
  t.handshake_completed = handshake_completed;
  t.encrypt = ngtcp2_crypto_encrypt_cb;
  t.decrypt = ngtcp2_crypto_decrypt_cb;
  t.hp_mask = ngtcp2_crypto_hp_mask_cb;
  t.update_key = ngtcp2_crypto_update_key_cb;
  t.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
  t.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
  t.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
  t.rand = rand;
  t.get_path_challenge_data = path_challenge_data;
  t.get_new_connection_id = get_new_connection_id;
  t.remove_connection_id = remove_connection_id;
  t.dcid_status = dcid_status;
  t.recv_stateless_reset = recv_stateless_reset;
  t.stream_open = stream_open;
  t.recv_stream_data = recv_stream_data;
  t.acked_stream_data_offset = acked_stream_data;
  t.stream_reset = stream_reset;
  t.stream_stop_sending = stream_stop_sending;
  t.stream_close = stream_close;
  t.recv_datagram = recv_datagram;
  t.lost_datagram = lost_datagram;
  return t;
}

int Connection::Callbacks::recv_crypto_data(ngtcp2_conn* conn, ngtcp2_encryption_level level, std::uint64_t offset,
                                            const std::uint8_t* data, std::size_t size, void* user) noexcept {
  Connection& c = of(user);
  // Once TLS is gone nothing may come but tickets that nobody asked for.
  if (!c.tls_) return 0;
  const int result = ngtcp2_crypto_recv_crypto_data_cb(conn, level, offset, data, size, user);
  // It is the other side's, and came by the path that it has chosen. A client says so by what only it can encrypt.
  if (result == 0 && (c.dialled_ || level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)) c.paths_.pin(c.shared_.from);
  c.answered_ |= result == 0 && c.dialled_;
  return result;
}

int Connection::Callbacks::recv_retry(ngtcp2_conn* conn, const ngtcp2_pkt_hd* header, void* user) noexcept {
  const int result = ngtcp2_crypto_recv_retry_cb(conn, header, user);
  Connection& c = of(user);
  if (result == 0) c.paths_.pin(c.shared_.from);
  c.answered_ |= result == 0;
  return result;
}

int Connection::Callbacks::handshake_completed(ngtcp2_conn*, void* user) noexcept {
  Connection& c = of(user);
  // A handshake can't complete without the peer's key; if it ever did, it must not count.
  if (!c.tls_ || !c.tls_->peer() || !c.tls_->export_secret(c.exporter_)) return NGTCP2_ERR_CALLBACK_FAILURE;
  if (!c.dialled_ && c.tls_->alpn() == c.shared_.options.service_alpn) c.protocol_ = Protocol::service;
  c.handshake_complete_ = true;
  c.establish();
  return 0;
}

void Connection::Callbacks::rand(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx* context) noexcept {
  static_cast<Rng*>(context->native_handle)->fill({out, size});
}

int Connection::Callbacks::path_challenge_data(ngtcp2_conn*, std::uint8_t* data, void* user) noexcept {
  of(user).shared_.rng.fill({data, NGTCP2_PATH_CHALLENGE_DATALEN});
  return 0;
}

int Connection::Callbacks::get_new_connection_id(ngtcp2_conn*, ngtcp2_cid* cid, std::uint8_t* token, std::size_t,
                                                 void* user) noexcept {
  Connection& c = of(user);
  const ConnectionId id = c.shared_.new_id();
  *cid = id.native();
  std::ranges::copy(c.shared_.reset_token(id).bytes, token);
  c.add_id(id);
  return 0;
}

int Connection::Callbacks::remove_connection_id(ngtcp2_conn*, const ngtcp2_cid* cid, void* user) noexcept {
  Connection& c = of(user);
  const ConnectionId id{*cid};
  if (std::erase(c.ids_, id) > 0) c.shared_.ids.erase(id);
  return 0;
}

int Connection::Callbacks::dcid_status(ngtcp2_conn*, ngtcp2_connection_id_status_type type, std::uint64_t,
                                       const ngtcp2_cid*, const std::uint8_t* token, void* user) noexcept {
  if (token == nullptr) return 0;  // the first ID of a dialler has none (RFC 9000 section 18.2)
  Connection& c = of(user);
  const ResetToken known{token};
  if (type == NGTCP2_CONNECTION_ID_STATUS_TYPE_ACTIVATE) {
    // A peer that repeats another one's token gets nothing by it: the first keeps it.
    if (c.shared_.reset_tokens.emplace(known, c.handle_).second) c.reset_tokens_.push_back(known);
  } else if (std::erase(c.reset_tokens_, known) > 0) {
    c.shared_.reset_tokens.erase(known);
  }
  return 0;
}

int Connection::Callbacks::recv_stateless_reset(ngtcp2_conn*, const ngtcp2_pkt_stateless_reset*, void* user) noexcept {
  of(user).reset_seen_ = true;
  return 0;
}

int Connection::Callbacks::stream_open(ngtcp2_conn*, std::int64_t id, void* user) noexcept {
  Connection& c = of(user);
  c.streams_.emplace_back().id = id;
  c.emit(StreamOpened{c.handle_, id});
  return 0;
}

int Connection::Callbacks::recv_stream_data(ngtcp2_conn*, std::uint32_t flags, std::int64_t id, std::uint64_t,
                                            const std::uint8_t* data, std::size_t size, void* user, void*) noexcept {
  Connection& c = of(user);
  c.got_stream_ = true;
  if (Stream* stream = c.find(id)) stream->unconsumed += size;
  c.emit(StreamData{c.handle_, id, Buffer(data, data + size), (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0,
                    c.shared_.received_at});
  return 0;
}

int Connection::Callbacks::acked_stream_data(ngtcp2_conn*, std::int64_t id, std::uint64_t offset, std::uint64_t size,
                                             void* user, void*) noexcept {
  Connection& c = of(user);
  Stream* stream = c.find(id);
  if (stream == nullptr || size == 0) return 0;
  c.waiting_since_ = c.shared_.received_at;
  stream->out.acknowledged(offset + size);
  const bool room = stream->was_full && stream->out.size() <= c.shared_.options.max_queued_stream_bytes / 2;
  if (!stream->owes_drained || (stream->out.size() > 0 && !room)) return 0;
  stream->owes_drained = stream->out.size() > 0;
  stream->was_full = false;
  c.emit(StreamDrained{c.handle_, id});
  return 0;
}

void Connection::Callbacks::aborted(Connection& c, std::int64_t id) {
  Stream* stream = c.find(id);
  if (stream == nullptr || stream->aborted) return;
  stream->aborted = true;
  stream->write_closed = true;
  c.emit(StreamReset{c.handle_, id});
}

int Connection::Callbacks::stream_reset(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t, void* user,
                                        void*) noexcept {
  aborted(of(user), id);
  return 0;
}

int Connection::Callbacks::stream_stop_sending(ngtcp2_conn*, std::int64_t id, std::uint64_t, void* user,
                                               void*) noexcept {
  aborted(of(user), id);
  return 0;
}

int Connection::Callbacks::stream_close(ngtcp2_conn* conn, std::uint32_t, std::int64_t id, std::uint64_t, void* user,
                                        void*) noexcept {
  Connection& c = of(user);
  if (Stream* stream = c.find(id)) {
    // What nobody will use up any more still counts against the connection's window.
    ngtcp2_conn_extend_max_offset(conn, stream->unconsumed);
    c.streams_.erase(c.streams_.begin() + (stream - c.streams_.data()));
  }
  if (ngtcp2_conn_is_local_stream(conn, id) == 0) ngtcp2_conn_extend_max_streams_bidi(conn, 1);
  return 0;
}

int Connection::Callbacks::recv_datagram(ngtcp2_conn*, std::uint32_t, const std::uint8_t* data, std::size_t size,
                                         void* user) noexcept {
  Connection& c = of(user);
  c.got_datagram_ = true;
  c.emit(DatagramReceived{c.handle_, c.shared_.from, c.shared_.received_at, Buffer(data, data + size)});
  return 0;
}

int Connection::Callbacks::lost_datagram(ngtcp2_conn*, std::uint64_t, void* user) noexcept {
  ++of(user).datagrams_lost_;
  return 0;
}

}  // namespace pw::quic
