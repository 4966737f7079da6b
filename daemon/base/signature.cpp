#include "base/signature.hpp"

#include <gnutls/abstract.h>

#include "base/check.hpp"

namespace pw {
namespace {

gnutls_datum_t datum(ByteView bytes) {
  return {const_cast<unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size())};
}

}  // namespace

bool verify_signature(const PeerId& signer, ByteView message, const Signature& signature) {
  gnutls_pubkey_t key = nullptr;
  PW_CHECK(gnutls_pubkey_init(&key) == 0);
  const gnutls_datum_t x = datum(signer.key()), data = datum(message), signed_by = datum(signature);
  const bool good = gnutls_pubkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_ED25519, &x, nullptr) == 0 &&
                    gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_EDDSA_ED25519, 0, &data, &signed_by) >= 0;
  gnutls_pubkey_deinit(key);
  return good;
}

}  // namespace pw
