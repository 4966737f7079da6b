// A datagram on its way out of the core, or several in a row to one place.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace pw {

struct Transmit {
  PathAddress path;
  Buffer bytes;
  std::size_t segment_size = 0;  // 0: one datagram; else GSO segments of this size, the last may be shorter
  std::uint8_t ttl = 0;          // hop limit; 0: the system's own
};

}  // namespace pw
