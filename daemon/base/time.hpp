// Time as the core knows it: nanoseconds of a monotonic clock that it never reads. `now` is always an argument.
// Wall time exists only at the edges (log lines, JSON, metrics).
#pragma once

#include <chrono>
#include <cstdint>

namespace pw {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;  // NOLINT: 5s, 250ms read the same in every room

/// A tag, not a clock: it has no now(), so that nobody can ask it.
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic>;
  static constexpr bool is_steady = true;
};
using Instant = std::chrono::time_point<Monotonic>;

/// UTC since 1970, at the edges only.
struct Utc {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Utc>;
  static constexpr bool is_steady = false;
};
using WallTime = std::chrono::time_point<Utc>;

inline constexpr Instant kNever = Instant::max();

constexpr double to_seconds(Duration d) { return static_cast<double>(d.count()) / 1e9; }
constexpr double to_milliseconds(Duration d) { return static_cast<double>(d.count()) / 1e6; }
constexpr Duration from_seconds(double s) { return Duration{static_cast<std::int64_t>(s * 1e9)}; }

/// The earlier of two deadlines.
constexpr Instant earlier(Instant a, Instant b) { return a < b ? a : b; }

/// `at + d` that stops at kNever instead of overflowing.
constexpr Instant saturating_add(Instant at, Duration d) {
  if (at == kNever || d > kNever - at) return kNever;
  return at + d;
}

}  // namespace pw
