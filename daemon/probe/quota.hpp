// The day's bytes for active bandwidth measurements, both directions and both roles together. The day is 24 hours from
// the first measurement in it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace pw::probe {

class BandwidthQuota {
 public:
  explicit BandwidthQuota(std::uint64_t bytes_per_day) : limit_{bytes_per_day} {}
  void set_limit(std::uint64_t bytes_per_day) { limit_ = bytes_per_day; }
  std::uint64_t left(Instant now) {
    if (day_ends_ == kNever || now >= day_ends_) {
      used_ = 0;
      day_ends_ = now + 24h;
    }
    return limit_ - std::min(limit_, used_);
  }
  void use(std::uint64_t bytes) { used_ += bytes; }

 private:
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  Instant day_ends_ = kNever;
};

}  // namespace pw::probe
