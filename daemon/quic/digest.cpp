#include "quic/digest.hpp"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/check.hpp"

namespace pw::quic {

Digest hmac_sha256(ByteView key, ByteView message) {
  Digest out;
  PW_CHECK(gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.data(), key.size(), message.data(), message.size(), out.data()) ==
           0);
  return out;
}

Digest sha256(ByteView message) {
  Digest out;
  PW_CHECK(gnutls_hash_fast(GNUTLS_DIG_SHA256, message.data(), message.size(), out.data()) == 0);
  return out;
}

bool equal_secret(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || gnutls_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace pw::quic
