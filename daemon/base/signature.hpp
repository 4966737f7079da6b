// Ed25519 signatures (RFC 8032, pure EdDSA) under a node's key. Making one takes the private key: quic::Identity.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/peer_id.hpp"

namespace pw {

using Signature = std::array<std::uint8_t, 64>;

/// Also false for an id that is no point of the curve. About 0.1 ms: whoever verifies for strangers limits how often.
bool verify_signature(const PeerId& signer, ByteView message, const Signature& signature);

}  // namespace pw
