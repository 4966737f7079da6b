// Bars: shares of runs that a matrix has to reach, and whether so many runs say that it does not.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sim/matrix/run.hpp"

namespace pw::sim::matrix {

/// Of `n` independent runs that each succeed with probability `p`: the probability that at most `hits` do.
double chance_of_at_most(std::size_t hits, std::size_t n, double p);

struct Bar {
  enum class Verdict : std::uint8_t {
    held,
    below,  // measured below the share, but a right implementation would be so, too, with a probability above kChance
    missed
  };
  /// A matrix asks some two hundred questions: one that holds all its bars exactly is called wrong once in 5000 runs with
  /// other seeds (the same seeds always say the same).
  static constexpr double kChance = 1e-6;

  std::string what;
  double share = 1;  // 1: always
  std::size_t hits = 0;
  std::size_t runs = 0;
  void count(bool hit) {
    ++runs;
    hits += hit ? 1U : 0U;
  }
  Verdict verdict() const;
};
constexpr auto names(Bar::Verdict) {
  using namespace std::string_view_literals;
  return std::array{"held"sv, "below, within chance"sv, "missed"sv};
}

/// The runs of one cell.
struct Tally {
  const Cell* cell = nullptr;
  std::vector<Run> runs;
};

/// As it should be: direct in time, relayed all along, or (until it is built) apart.
bool as_expected(const Cell& cell, const Run& run);

std::vector<Bar> bars_of(const std::vector<Tally>& tallies, double loss);

}  // namespace pw::sim::matrix
