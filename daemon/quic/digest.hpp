// The digests that other rooms need, without GnuTLS in sight.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"

namespace pw::quic {

using Digest = std::array<std::uint8_t, 32>;

Digest hmac_sha256(ByteView key, ByteView message);
Digest sha256(ByteView message);
/// Compares in time that does not depend on where they differ.
bool equal_secret(ByteView a, ByteView b);

}  // namespace pw::quic
