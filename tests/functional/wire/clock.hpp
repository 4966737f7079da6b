// The two clocks of the kernel that the wire process reads: one that it lives by, and the one of the kernel's time
// stamps.
#pragma once

#include <ctime>

#include "base/time.hpp"

namespace pw::lab {

inline Duration read_clock(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return std::chrono::seconds{at.tv_sec} + Duration{at.tv_nsec};
}
inline Duration monotonic() { return read_clock(CLOCK_MONOTONIC); }
inline Duration realtime() { return read_clock(CLOCK_REALTIME); }

}  // namespace pw::lab
