// What ngtcp2 calls. Nothing here throws, re-enters or ends a connection: it appends and sets flags.
#pragma once

#include "quic/connection.hpp"

namespace pw::quic {

struct Connection::Callbacks {
  static ngtcp2_callbacks table(bool dialled);

  static int recv_crypto_data(ngtcp2_conn*, ngtcp2_encryption_level level, std::uint64_t offset,
                              const std::uint8_t* data, std::size_t size, void* user) noexcept;
  static int recv_retry(ngtcp2_conn*, const ngtcp2_pkt_hd* header, void* user) noexcept;
  static int handshake_completed(ngtcp2_conn*, void* user) noexcept;
  static void rand(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx* context) noexcept;
  static int path_challenge_data(ngtcp2_conn*, std::uint8_t* data, void* user) noexcept;
  static int get_new_connection_id(ngtcp2_conn*, ngtcp2_cid* cid, std::uint8_t* token, std::size_t size,
                                   void* user) noexcept;
  static int remove_connection_id(ngtcp2_conn*, const ngtcp2_cid* cid, void* user) noexcept;
  static int dcid_status(ngtcp2_conn*, ngtcp2_connection_id_status_type type, std::uint64_t sequence,
                         const ngtcp2_cid* cid, const std::uint8_t* token, void* user) noexcept;
  static int recv_stateless_reset(ngtcp2_conn*, const ngtcp2_pkt_stateless_reset*, void* user) noexcept;
  static int stream_open(ngtcp2_conn*, std::int64_t id, void* user) noexcept;
  static int recv_stream_data(ngtcp2_conn*, std::uint32_t flags, std::int64_t id, std::uint64_t offset,
                              const std::uint8_t* data, std::size_t size, void* user, void*) noexcept;
  static int acked_stream_data(ngtcp2_conn*, std::int64_t id, std::uint64_t offset, std::uint64_t size, void* user,
                               void*) noexcept;
  static int stream_reset(ngtcp2_conn*, std::int64_t id, std::uint64_t final_size, std::uint64_t code, void* user,
                          void*) noexcept;
  static int stream_stop_sending(ngtcp2_conn*, std::int64_t id, std::uint64_t code, void* user, void*) noexcept;
  static int stream_close(ngtcp2_conn*, std::uint32_t flags, std::int64_t id, std::uint64_t code, void* user,
                          void*) noexcept;
  static int recv_datagram(ngtcp2_conn*, std::uint32_t flags, const std::uint8_t* data, std::size_t size,
                           void* user) noexcept;
  static int lost_datagram(ngtcp2_conn*, std::uint64_t id, void* user) noexcept;

 private:
  static void aborted(Connection& c, std::int64_t id);
};

}  // namespace pw::quic
