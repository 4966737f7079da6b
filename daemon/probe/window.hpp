// Sums over the last 60 seconds, in 60 slots of one second: what is older than that is gone, whether or not anything
// came since. The slot under way counts, so a sum covers between 59 and 60 seconds.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/time.hpp"

namespace pw::probe {

template <class Count>
class Window {
 public:
  static constexpr std::int64_t kSlots = 60;

  void add(Instant now, Count count) {
    advance(now);
    slots_[index(second_)] += count;
    total_ += count;
  }
  /// Costs as many steps as seconds have passed since the last add.
  Count sum(Instant now) const {
    Count total = total_;
    const std::int64_t first = second_ - kSlots + 1;
    const std::int64_t oldest = std::min(second_of(now) - kSlots + 1, second_ + 1);
    for (std::int64_t s = first; s < oldest; ++s) total -= slots_[index(s)];
    return total;
  }

 private:
  static std::int64_t second_of(Instant t) { return t.time_since_epoch() / std::chrono::seconds{1}; }
  static std::size_t index(std::int64_t second) {
    return static_cast<std::size_t>(((second % kSlots) + kSlots) % kSlots);
  }
  void advance(Instant now) {
    const std::int64_t s = second_of(now);
    if (s <= second_) return;
    for (std::int64_t i = std::max(second_ + 1, s - kSlots + 1); i <= s; ++i) {
      total_ -= slots_[index(i)];
      slots_[index(i)] = Count{};
    }
    second_ = s;
  }
  std::int64_t second_ = INT64_MIN / 2;
  std::array<Count, static_cast<std::size_t>(kSlots)> slots_{};
  Count total_{};  // of all slots
};

}  // namespace pw::probe
