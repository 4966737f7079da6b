// ReplayWindow: which of the other side's numbered messages were seen (as RFC 4303 section 3.4.3 does it).
#pragma once

#include <array>
#include <cstdint>

namespace pw::path {

class ReplayWindow {
 public:
  /// Behind the highest number seen: checks over paths of different delay overtake one another, and a search for open
  /// ports sends hundreds within a round trip.
  static constexpr std::uint32_t kSize = 1024;

  /// True once for each number; false also for one too old to tell. Numbers may wrap.
  bool take(std::uint32_t number) {
    const auto ahead = static_cast<std::int32_t>(number - highest_);
    if (!any_ || ahead > 0) {
      const std::uint32_t skipped = any_ ? number - highest_ : kSize;
      for (std::uint32_t i = 0; i < (skipped < kSize ? skipped : kSize); ++i) clear(number - i);
      any_ = true;
      highest_ = number;
    } else if (highest_ - number >= kSize || seen(number)) {
      return false;
    }
    word(number) |= bit(number);
    return true;
  }

 private:
  static std::uint64_t bit(std::uint32_t number) { return 1ULL << (number % 64); }
  std::uint64_t& word(std::uint32_t number) { return words_[number % kSize / 64]; }
  bool seen(std::uint32_t number) { return (word(number) & bit(number)) != 0; }
  void clear(std::uint32_t number) { word(number) &= ~bit(number); }

  bool any_ = false;
  std::uint32_t highest_ = 0;
  std::array<std::uint64_t, kSize / 64> words_{};
};

}  // namespace pw::path
