#pragma once

#include <cstddef>

#include "base/time.hpp"

namespace pw::path {

/// UDP payload of a small request: no answer to it is larger (IPv6 address, receipt, integrity, FINGERPRINT: 116
/// bytes).
inline constexpr std::size_t kSmallSize = 120;
/// UDP payload of QUIC's packets (quic::kUdpPayload).
inline constexpr std::size_t kFullSize = 1200;

struct Options {
  Duration interval = 1s;  // between probes of the path in use
  /// Of the others, at most: RFC 7675 section 5.1 wants consent to be asked for every 5 s. Where a NAT forgets mappings
  /// sooner, less than that time.
  Duration standby_interval = 5s;
  Duration full_interval = 30s;  // between checks at full size, of each path
};

}  // namespace pw::path
