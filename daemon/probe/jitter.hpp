// Interarrival jitter (RFC 3550 section 6.4.1): J += (|D| − J) / 16, D the change of transit time between two packets.
// The sender's clock needs no relation to ours: only differences count.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace pw::probe {

class Jitter {
 public:
  /// `sent_us` wraps at 2³².
  void add(Instant arrived, std::uint32_t sent_us) {
    if (last_) {
      const auto sent = std::chrono::microseconds{static_cast<std::int32_t>(sent_us - last_->sent_us)};
      const Duration d = std::chrono::abs((arrived - last_->arrived) - Duration{sent});
      const Duration before = value_.value_or(Duration{});
      value_ = before + (d - before) / 16;
    }
    last_ = Last{arrived, sent_us};
  }
  std::optional<Duration> value() const { return value_; }

 private:
  struct Last {
    Instant arrived;
    std::uint32_t sent_us;
  };
  std::optional<Last> last_;
  std::optional<Duration> value_;
};

}  // namespace pw::probe
