// Smoothed round-trip time and its variation (RFC 9002 section 5.3), from our own timestamps.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/time.hpp"

namespace pw::probe {

class RttEstimator {
 public:
  void add(Duration sample) {
    latest_ = sample;
    if (!smoothed_) {
      smoothed_ = min_ = sample;
      variation_ = sample / 2;
      return;
    }
    min_ = std::min(*min_, sample);
    variation_ = (3 * variation_ + std::chrono::abs(*smoothed_ - sample)) / 4;
    smoothed_ = (7 * *smoothed_ + sample) / 8;
  }
  std::optional<Duration> latest() const { return latest_; }
  std::optional<Duration> smoothed() const { return smoothed_; }
  std::optional<Duration> min() const { return min_; }
  Duration variation() const { return variation_; }

 private:
  std::optional<Duration> latest_;
  std::optional<Duration> smoothed_;
  std::optional<Duration> min_;
  Duration variation_{};
};

}  // namespace pw::probe
