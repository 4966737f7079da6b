#include "quic/identity.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "quic/tls.hpp"

namespace pw::quic {
namespace {

constexpr const char* kPriority =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519:"
    "-SIGN-ALL:+SIGN-EDDSA-ED25519:%DISABLE_TLS13_COMPAT_MODE";

/// RFC 8410 section 7: PrivateKeyInfo of an Ed25519 key, up to the seed itself.
constexpr std::array<std::uint8_t, 16> kPkcs8Prefix = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                       0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

/// A key pins itself, so nobody judges the certificate's dates: from 1970 on, without well-defined expiry (RFC 5280
/// section 4.1.2.5), and without asking any clock.
constexpr time_t kValidFrom = 0;

struct PrivateKey {
  gnutls_x509_privkey_t handle = nullptr;
  ~PrivateKey() { gnutls_x509_privkey_deinit(handle); }
};
struct Certificate {
  gnutls_x509_crt_t handle = nullptr;
  ~Certificate() { gnutls_x509_crt_deinit(handle); }
};

Status failed(std::string_view step, int code) {
  if (code >= 0) return {};
  return fail("identity: " + std::string{step} + ": " + gnutls_strerror(code));
}

Status import_seed(PrivateKey& key, const Identity::Seed& seed) {
  std::array<std::uint8_t, kPkcs8Prefix.size() + Identity::kSeedSize> der;
  std::ranges::copy(seed, std::ranges::copy(kPkcs8Prefix, der.begin()).out);
  const gnutls_datum_t datum{der.data(), static_cast<unsigned>(der.size())};
  int code = gnutls_x509_privkey_init(&key.handle);
  if (code == 0)
    code = gnutls_x509_privkey_import_pkcs8(key.handle, &datum, GNUTLS_X509_FMT_DER, nullptr, GNUTLS_PKCS_PLAIN);
  gnutls_memset(der.data(), 0, der.size());
  return failed("private key", code);
}

Result<PeerId> public_key(const PrivateKey& key) {
  gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
  gnutls_datum_t x{};
  if (auto s = failed("public key", gnutls_x509_privkey_export_ecc_raw(key.handle, &curve, &x, nullptr, nullptr)); !s)
    return tl::unexpected(s.error());
  std::array<std::uint8_t, PeerId::kSize> bytes{};
  const bool good = x.size == bytes.size();
  if (good) std::copy_n(x.data, bytes.size(), bytes.begin());
  gnutls_free(x.data);
  if (!good) return fail("identity: public key: unexpected size");
  return PeerId{bytes};
}

Status self_sign(Certificate& certificate, const PrivateKey& key, const PeerId& id) {
  constexpr std::uint8_t kSerial = 1;
  const std::string name = id.to_string();
  int code = gnutls_x509_crt_init(&certificate.handle);
  if (code >= 0) code = gnutls_x509_crt_set_version(certificate.handle, 3);
  if (code >= 0) code = gnutls_x509_crt_set_serial(certificate.handle, &kSerial, sizeof kSerial);
  if (code >= 0) code = gnutls_x509_crt_set_activation_time(certificate.handle, kValidFrom);
  if (code >= 0) code = gnutls_x509_crt_set_expiration_time(certificate.handle, GNUTLS_X509_NO_WELL_DEFINED_EXPIRATION);
  if (code >= 0)
    code = gnutls_x509_crt_set_dn_by_oid(certificate.handle, GNUTLS_OID_X520_COMMON_NAME, 0, name.data(),
                                         static_cast<unsigned>(name.size()));
  if (code >= 0) code = gnutls_x509_crt_set_key(certificate.handle, key.handle);
  if (code >= 0) code = gnutls_x509_crt_sign2(certificate.handle, certificate.handle, key.handle, GNUTLS_DIG_SHA512, 0);
  return failed("certificate", code);
}

}  // namespace

Identity::Tls::~Tls() {
  if (priority != nullptr) gnutls_priority_deinit(priority);
  if (key != nullptr) gnutls_privkey_deinit(key);
  if (credentials != nullptr) gnutls_certificate_free_credentials(credentials);
}

Identity::Identity(std::unique_ptr<Tls> tls) : tls_{std::move(tls)} {}
Identity::Identity(Identity&&) noexcept = default;
Identity& Identity::operator=(Identity&&) noexcept = default;
Identity::~Identity() = default;

const PeerId& Identity::id() const { return tls_->id; }

Signature Identity::sign(ByteView message) const {
  const gnutls_datum_t data{const_cast<unsigned char*>(message.data()), static_cast<unsigned>(message.size())};
  gnutls_datum_t made{};
  Signature signature{};
  PW_CHECK(gnutls_privkey_sign_data2(tls_->key, GNUTLS_SIGN_EDDSA_ED25519, 0, &data, &made) >= 0);
  PW_CHECK(made.size == signature.size());
  std::copy_n(made.data, signature.size(), signature.begin());
  gnutls_free(made.data);
  return signature;
}

Result<Identity> Identity::from_seed(const Seed& seed) {
  PrivateKey key;
  Certificate certificate;
  if (auto s = import_seed(key, seed); !s) return tl::unexpected(s.error());
  const auto id = public_key(key);
  if (!id) return tl::unexpected(id.error());
  if (auto s = self_sign(certificate, key, *id); !s) return tl::unexpected(s.error());
  auto tls = std::make_unique<Tls>();
  tls->id = *id;
  int code = gnutls_certificate_allocate_credentials(&tls->credentials);
  if (code >= 0) code = gnutls_certificate_set_x509_key(tls->credentials, &certificate.handle, 1, key.handle);
  if (auto s = failed("credentials", code); !s) return tl::unexpected(s.error());
  if (auto s = failed("TLS priorities", gnutls_priority_init(&tls->priority, kPriority, nullptr)); !s)
    return tl::unexpected(s.error());
  code = gnutls_privkey_init(&tls->key);
  if (code >= 0) code = gnutls_privkey_import_x509(tls->key, key.handle, GNUTLS_PRIVKEY_IMPORT_COPY);
  if (auto s = failed("signing key", code); !s) return tl::unexpected(s.error());
  return Identity{std::move(tls)};
}

}  // namespace pw::quic
