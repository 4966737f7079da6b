#include "base/digest.hpp"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/check.hpp"

namespace pw {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> hmac(gnutls_mac_algorithm_t algorithm, ByteView key, ByteView message) {
  std::array<std::uint8_t, N> out;
  PW_CHECK(gnutls_hmac_fast(algorithm, key.data(), key.size(), message.data(), message.size(), out.data()) == 0);
  return out;
}

}  // namespace

Digest hmac_sha256(ByteView key, ByteView message) { return hmac<32>(GNUTLS_MAC_SHA256, key, message); }

std::array<std::uint8_t, 20> hmac_sha1(ByteView key, ByteView message) {
  return hmac<20>(GNUTLS_MAC_SHA1, key, message);
}

Digest sha256(ByteView message) {
  Digest out;
  PW_CHECK(gnutls_hash_fast(GNUTLS_DIG_SHA256, message.data(), message.size(), out.data()) == 0);
  return out;
}

bool equal_secret(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || gnutls_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace pw
