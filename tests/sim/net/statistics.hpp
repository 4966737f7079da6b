// Statistics of tests: how far a sample may be from what was declared. Every bound here is missed by a right
// implementation with probability 1e-6 at most, a test of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace pw::net {

inline constexpr double kDeviations = 4.892;  // two-sided, of a normal distribution: 1e-6

/// `hits` of n independent draws with probability p; n p (1 − p) well above 10.
inline bool share_is(std::size_t hits, std::size_t n, double p) {
  const auto draws = static_cast<double>(n);
  return std::abs(static_cast<double>(hits) - draws * p) <= kDeviations * std::sqrt(draws * p * (1 - p)) + 0.5;
}

/// The mean of n independent values with this expectation and standard deviation.
inline bool mean_is(double mean, std::size_t n, double expected, double deviation) {
  return std::abs(mean - expected) <= kDeviations * deviation / std::sqrt(static_cast<double>(n));
}

/// Kolmogorov and Smirnov: values uniform in [0, 1].
inline bool uniform(std::vector<double> values) {
  std::ranges::sort(values);
  const auto n = static_cast<double>(values.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = values[i];
    if (x < 0 || x > 1) return false;
    worst = std::max({worst, x - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - x});
  }
  return worst * std::sqrt(n) <= 2.694;  // 2 exp(−2 x²) = 1e-6
}

}  // namespace pw::net
