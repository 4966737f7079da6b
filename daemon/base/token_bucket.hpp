// A token bucket: `rate` tokens a second, at most `burst` saved.
#pragma once

#include <algorithm>

#include "base/time.hpp"

namespace pw {

class TokenBucket {
 public:
  TokenBucket(double rate, double burst) : rate_{rate}, burst_{burst}, tokens_{burst} {}
  /// Takes n tokens if they are there. `now` never runs backwards.
  bool take(Instant now, double n = 1) {
    if (!has(now, n)) return false;
    tokens_ -= n;
    return true;
  }
  bool has(Instant now, double n = 1) {
    if (last_ != kNever && now > last_) tokens_ = std::min(burst_, tokens_ + to_seconds(now - last_) * rate_);
    last_ = now;
    return tokens_ >= n;
  }
  bool full_at(Instant now) const { return last_ == kNever || tokens_ + to_seconds(now - last_) * rate_ >= burst_; }

 private:
  double rate_;
  double burst_;
  double tokens_;
  Instant last_ = kNever;
};

}  // namespace pw
