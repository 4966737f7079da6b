// Runner: carries a scenario out in the simulator and says what was seen, as docs/scenarios.md has it. The same seed
// gives the same run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/scenario.hpp"
#include "sim/world.hpp"

namespace pw::sim::scenario {

struct Verdict {
  bool ok = false;
  std::string why;  // empty when ok
  // ---- what was measured
  std::optional<double> at_s;
  std::optional<double> rtt_ms;
  std::optional<double> loss;
  std::optional<Translation> nat;
  std::optional<net::Dependence> mapping;
  std::optional<net::Dependence> filtering;
};

struct Report {
  std::string scenario;
  std::uint64_t seed = 0;
  std::string broken_rule;  // empty: none
  std::vector<Verdict> results;  // as the expectations of the file
  std::vector<Fault> faults;     // what was done, as the world has it on record
  bool passed() const;
};

Report run(const Scenario& scenario, std::uint64_t seed);

/// One line of JSON.
std::string to_json(const Report& report);

}  // namespace pw::sim::scenario
