// What packets of one flow went through lately: how long they took at least and at most, and which of them came late,
// bent or never. All bounded: a minute is remembered in two halves.
#pragma once

#include <algorithm>
#include <array>

#include "base/time.hpp"

namespace pw::sim {

/// Extremes of travel times over the last kSpan to 2 · kSpan.
class Travel {
 public:
  static constexpr Duration kSpan = 15s;

  void add(Instant at, Duration took) {
    if (at - since_ >= kSpan) {
      before_ = at - since_ >= 2 * kSpan ? Extremes{} : now_;
      now_ = {};
      since_ = at;
    }
    now_.least = std::min(now_.least, took);
    now_.most = std::max(now_.most, took);
  }
  bool any() const { return least() != Duration::max(); }
  Duration least() const { return std::min(now_.least, before_.least); }
  Duration most() const { return std::max(now_.most, before_.most); }

 private:
  struct Extremes {
    Duration least = Duration::max();
    Duration most{};
  };
  Extremes now_;
  Extremes before_;
  Instant since_{};
};

/// When the last packets were sent to which something happened.
class Mishaps {
 public:
  static constexpr std::size_t kKept = 64;  // some seconds of a path that loses everything, at PTO pace

  void add(Instant sent_at) {
    at_[total_ % kKept] = sent_at;
    ++total_;
  }
  /// Of packets sent in [from, to], at most kKept.
  std::size_t count(Instant from, Instant to) const {
    std::size_t n = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(total_, kKept); ++i) n += at_[i] >= from && at_[i] <= to;
    return n;
  }
  /// Whether some that were sent after `from` are forgotten already.
  bool forgot(Instant from) const { return total_ > kKept && at_[total_ % kKept] > from; }
  bool any_since(Instant from) const { return count(from, Instant::max()) > 0; }
  std::uint64_t total() const { return total_; }

 private:
  std::array<Instant, kKept> at_{};
  std::uint64_t total_ = 0;
};

}  // namespace pw::sim
