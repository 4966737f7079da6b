// Rate: sums over sliding windows of 1, 10 and 60 seconds, in slots of one second. A window's sum is judged when a second
// is over, so adding costs next to nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/time.hpp"

namespace pw::sim {

inline constexpr std::array<std::int64_t, 3> kWindows{1, 10, 60};  // seconds

class Rate {
 public:
  using Sums = std::array<std::uint64_t, kWindows.size()>;

  /// True if a second is over now: closed() has the sums of the windows that ended with it.
  bool add(Instant at, std::uint32_t n) {
    const bool over = advance(at);
    current_ += n;
    return over;
  }
  bool advance(Instant at) {
    const std::int64_t second = at.time_since_epoch() / std::chrono::seconds{1};
    if (second <= second_) return false;
    const bool over = current_ > 0;
    if (over) close();
    const std::int64_t empty = std::min<std::int64_t>(second - second_ - (over ? 1 : 0), kSlots);
    if (second - second_ > kSlots) {
      slots_ = {};
      long_ = {};
    } else {
      for (std::int64_t s = second - empty; s < second; ++s) shift(s, 0);
    }
    second_ = second;
    current_ = 0;
    return over;
  }
  /// Of the windows that ended with the last second in which there was something.
  const Sums& closed() const { return closed_; }
  /// Of the last seconds, at most a minute, and the one under way; call advance() first.
  std::uint64_t last(std::int64_t seconds) const {
    std::uint64_t sum = current_;
    seconds = std::min(seconds, kSlots - 1);
    for (std::int64_t s = second_ - seconds; s < second_; ++s) sum += slots_[slot(s)];
    return sum;
  }
  /// How long ago that was, in seconds.
  std::int64_t since_closed() const { return second_ - closed_second_ - 1; }
  /// The windows that end now, the second under way included; call advance() first.
  Sums sums() const { return {current_, long_[0] + current_, long_[1] + current_}; }

 private:
  static constexpr std::int64_t kSlots = kWindows.back();
  static std::size_t slot(std::int64_t second) { return static_cast<std::size_t>(((second % kSlots) + kSlots) % kSlots); }
  void shift(std::int64_t second, std::uint32_t n) {
    long_[0] += n;
    long_[0] -= slots_[slot(second - kWindows[1])];
    long_[1] += n;
    long_[1] -= slots_[slot(second)];
    slots_[slot(second)] = n;
  }
  void close() {
    shift(second_, current_);
    closed_ = {current_, long_[0], long_[1]};
    closed_second_ = second_;
  }

  std::array<std::uint32_t, static_cast<std::size_t>(kSlots)> slots_{};
  std::array<std::uint64_t, 2> long_{};  // of 10 and 60 s, without the second under way
  std::uint32_t current_ = 0;
  std::int64_t second_ = INT64_MIN / 2;
  Sums closed_{};
  std::int64_t closed_second_ = 0;
};

}  // namespace pw::sim
