// TLS 1.3 for one connection (RFC 8446, 9001): GnuTLS configured so that a peer is known by its Ed25519 key and by
// nothing else. No certificate authority, no names, no dates, no tickets: a resumed session would skip the check of the
// key, and a peer that is no longer trusted would get in.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/peer_id.hpp"
#include "quic/identity.hpp"

namespace pw::quic {

/// What all sessions of a node share; made once.
struct Identity::Tls {
  PeerId id;
  gnutls_certificate_credentials_t credentials = nullptr;
  gnutls_priority_t priority = nullptr;
  gnutls_privkey_t key = nullptr;

  Tls() = default;
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;
  ~Tls();
};

/// Order of calls: make, attach, then QUIC drives it. Destroyed once the handshake is complete, never inside a
/// callback of ngtcp2, and after detach().
class TlsSession {
 public:
  enum class Role { dialler, acceptor };
  /// `alpn`: the protocols that are spoken, at most kMaxProtocols. `expected`: the only key that a dialler puts up with.
  /// Null when GnuTLS has no memory.
  static constexpr std::size_t kMaxProtocols = 2;
  static std::unique_ptr<TlsSession> make(const Identity::Tls& identity, Role role,
                                          std::span<const std::string_view> alpn, std::optional<PeerId> expected);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  void attach(ngtcp2_conn* connection);
  void detach();

  /// The key that the other side has proved (RFC 8446 section 4.4.3); none before its certificate came.
  const std::optional<PeerId>& peer() const { return peer_; }
  /// Why the other side's certificate was refused; empty if it wasn't.
  const std::string& refusal() const { return refusal_; }
  /// The protocol that was agreed on; empty: none.
  std::string_view alpn() const;
  /// RFC 8446 section 7.5. False before the handshake is complete.
  bool export_secret(std::array<std::uint8_t, 32>& out) const;

 private:
  TlsSession() = default;
  static ngtcp2_conn* connection_of(ngtcp2_crypto_conn_ref* reference);
  static int verify(gnutls_session_t session);
  int judge();

  gnutls_session_t session_ = nullptr;
  ngtcp2_conn* connection_ = nullptr;
  ngtcp2_crypto_conn_ref reference_{};
  std::optional<PeerId> expected_;
  std::optional<PeerId> peer_;
  std::string refusal_;
};

}  // namespace pw::quic
