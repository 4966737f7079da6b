// What scenarios are written with: every seed, a trace to compare, and the rules that always hold. A failure names the seed
// that replays it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/world.hpp"

namespace pw::sim {

/// The first of the rules in check/ that was broken so far; empty when all is well.
std::string broken_rule(World& world);

/// One line an event, equal for equal runs.
std::string trace(const Host& host);

/// PEERWATCH_SIM_SEEDS in the environment, else 1000.
unsigned seeds(const char* variable = "PEERWATCH_SIM_SEEDS");

/// Runs the scenario for that many seeds; it returns what is wrong or nothing. Fails the test naming the first bad
/// seed.
void for_every_seed(const std::function<std::string(std::uint64_t seed)>& scenario);

}  // namespace pw::sim
