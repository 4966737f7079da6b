// The digests that rooms need, and comparing secrets, without GnuTLS in sight.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"

namespace pw {

using Digest = std::array<std::uint8_t, 32>;

Digest hmac_sha256(ByteView key, ByteView message);
/// For STUN's MESSAGE-INTEGRITY (RFC 8489 section 14.5), which knows nothing newer.
std::array<std::uint8_t, 20> hmac_sha1(ByteView key, ByteView message);
Digest sha256(ByteView message);
/// Compares in time that does not depend on where they differ.
bool equal_secret(ByteView a, ByteView b);

}  // namespace pw
