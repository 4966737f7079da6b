// Exponential back-off with full jitter: the n-th delay is uniform in [0, min(cap, initial · 2ⁿ)].
#pragma once

#include <algorithm>

#include "base/rng.hpp"
#include "base/time.hpp"

namespace pw {

class Backoff {
 public:
  Backoff(Duration initial, Duration cap) : initial_{initial}, cap_{cap} {}
  Duration next(Rng& rng) { return rng.up_to(ceiling_of(failures_++)); }
  void reset() { failures_ = 0; }
  unsigned failures() const { return failures_; }

 private:
  Duration ceiling_of(unsigned n) const {
    Duration d = initial_;
    for (; n > 0 && d < cap_; --n) d += d;
    return std::min(d, cap_);
  }
  Duration initial_;
  Duration cap_;
  unsigned failures_ = 0;
};

}  // namespace pw
