#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace pw::probe {

struct Options {
  Duration rtt_interval = 5s;       // echo over the bidirectional stream
  Duration datagram_interval = 1s;  // probes of a path in use
  std::uint64_t bandwidth_max_bytes_per_day = 1ULL << 30;
};

}  // namespace pw::probe
