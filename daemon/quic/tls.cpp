#include "quic/tls.hpp"

#include <gnutls/abstract.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#include <algorithm>
#include <string_view>

namespace pw::quic {
namespace {

constexpr std::string_view kExporterLabel = "EXPORTER-peerwatch";

/// The Ed25519 key of a certificate in DER. Nothing else in it is looked at.
std::optional<PeerId> key_of(const gnutls_datum_t& der) {
  std::optional<PeerId> id;
  gnutls_x509_crt_t certificate = nullptr;
  gnutls_pubkey_t key = nullptr;
  if (gnutls_x509_crt_init(&certificate) != 0) return id;
  if (gnutls_x509_crt_import(certificate, &der, GNUTLS_X509_FMT_DER) == 0 && gnutls_pubkey_init(&key) == 0 &&
      gnutls_pubkey_import_x509(key, certificate, 0) == 0 &&
      gnutls_pubkey_get_pk_algorithm(key, nullptr) == GNUTLS_PK_EDDSA_ED25519) {
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    gnutls_datum_t x{};
    if (gnutls_pubkey_export_ecc_raw2(key, &curve, &x, nullptr, 0) == 0) {
      if (curve == GNUTLS_ECC_CURVE_ED25519 && x.size == PeerId::kSize) {
        std::array<std::uint8_t, PeerId::kSize> bytes;
        std::copy_n(x.data, bytes.size(), bytes.begin());
        id = PeerId{bytes};
      }
      gnutls_free(x.data);
    }
  }
  gnutls_pubkey_deinit(key);
  gnutls_x509_crt_deinit(certificate);
  return id;
}

}  // namespace

std::unique_ptr<TlsSession> TlsSession::make(const Identity::Tls& identity, Role role,
                                             std::span<const std::string_view> alpn, std::optional<PeerId> expected) {
  constexpr unsigned kFlags = GNUTLS_NO_END_OF_EARLY_DATA | GNUTLS_NO_AUTO_SEND_TICKET | GNUTLS_NO_TICKETS;
  const bool acceptor = role == Role::acceptor;
  std::unique_ptr<TlsSession> tls{new TlsSession};
  if (gnutls_init(&tls->session_, (acceptor ? GNUTLS_SERVER : GNUTLS_CLIENT) | kFlags) != 0) {
    tls->session_ = nullptr;
    return nullptr;
  }
  tls->expected_ = std::move(expected);
  tls->reference_ = {&TlsSession::connection_of, tls.get()};
  gnutls_session_set_ptr(tls->session_, &tls->reference_);
  gnutls_session_set_verify_function(tls->session_, &TlsSession::verify);
  std::array<gnutls_datum_t, kMaxProtocols> protocols{};
  const std::size_t spoken = std::min(alpn.size(), protocols.size());
  for (std::size_t i = 0; i < spoken; ++i)
    protocols[i] = {reinterpret_cast<unsigned char*>(const_cast<char*>(alpn[i].data())),
                    static_cast<unsigned>(alpn[i].size())};
  const int configured = acceptor ? ngtcp2_crypto_gnutls_configure_server_session(tls->session_)
                                  : ngtcp2_crypto_gnutls_configure_client_session(tls->session_);
  if (configured != 0 || gnutls_priority_set(tls->session_, identity.priority) != 0 ||
      gnutls_credentials_set(tls->session_, GNUTLS_CRD_CERTIFICATE, identity.credentials) != 0 ||
      gnutls_alpn_set_protocols(tls->session_, protocols.data(), static_cast<unsigned>(spoken), GNUTLS_ALPN_MANDATORY) != 0)
    return nullptr;
  if (acceptor) gnutls_certificate_server_set_request(tls->session_, GNUTLS_CERT_REQUIRE);
  return tls;
}

TlsSession::~TlsSession() {
  if (session_ != nullptr) gnutls_deinit(session_);
}

void TlsSession::attach(ngtcp2_conn* connection) {
  connection_ = connection;
  ngtcp2_conn_set_tls_native_handle(connection, session_);
}

void TlsSession::detach() {
  if (connection_ != nullptr) ngtcp2_conn_set_tls_native_handle(connection_, nullptr);
  connection_ = nullptr;
}

ngtcp2_conn* TlsSession::connection_of(ngtcp2_crypto_conn_ref* reference) {
  return static_cast<TlsSession*>(reference->user_data)->connection_;
}

int TlsSession::verify(gnutls_session_t session) {
  const auto* reference = static_cast<const ngtcp2_crypto_conn_ref*>(gnutls_session_get_ptr(session));
  return static_cast<TlsSession*>(reference->user_data)->judge();
}

int TlsSession::judge() {
  unsigned count = 0;
  const gnutls_datum_t* chain = gnutls_certificate_get_peers(session_, &count);
  std::optional<PeerId> id;
  if (chain != nullptr && count > 0) id = key_of(chain[0]);
  if (!id) {
    refusal_ = "no Ed25519 key was shown";
    return GNUTLS_E_CERTIFICATE_ERROR;
  }
  if (alpn().empty()) {
    refusal_ = "no common protocol (ALPN)";
    return GNUTLS_E_NO_APPLICATION_PROTOCOL;
  }
  if (expected_ && *id != *expected_) {
    refusal_ = "expected " + expected_->to_short() + ", but " + id->to_short() + " answered";
    return GNUTLS_E_CERTIFICATE_ERROR;
  }
  peer_ = id;
  return 0;
}

std::string_view TlsSession::alpn() const {
  gnutls_datum_t selected{};
  if (gnutls_alpn_get_selected_protocol(session_, &selected) != 0) return {};
  return as_text({selected.data, selected.size});
}

bool TlsSession::export_secret(std::array<std::uint8_t, 32>& out) const {
  return gnutls_prf_rfc5705(session_, kExporterLabel.size(), kExporterLabel.data(), 0, nullptr, out.size(),
                            reinterpret_cast<char*>(out.data())) == 0;
}

}  // namespace pw::quic
