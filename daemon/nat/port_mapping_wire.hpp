// What NAT-PMP and PCP share on the wire: the port, and the time since the gateway forgot everything.
#pragma once

#include <cstdint>

#include "base/address.hpp"
#include "base/time.hpp"

namespace pw::nat {

/// RFC 6886 section 1.1, RFC 6887 section 19.1.
inline constexpr std::uint16_t kGatewayPort = 5351;

/// The gateway's seconds since it began to remember mappings, and when this node heard of them.
struct EpochSample {
  Instant at{};
  std::uint32_t seconds = 0;
};

/// Whether strangers on the internet could send to that address: false for private, shared (100.64/10), link-local,
/// loopback, multicast, documentation, benchmark, reserved and unspecified ones (RFC 6890 and its registries).
bool is_public(const IpAddress& ip);

}  // namespace pw::nat
