// Checkers: what must hold in every run, apart from what a scenario is about. A failure names the seed that replays it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/world.hpp"

namespace pw::sim {

/// Empty when all is well; otherwise what is wrong. Judges: every transition legal and chained per peer and instance;
/// every dial started ends once or is under way; the snapshot agrees with the events; no peer without end.
std::string broken_rule(World& world);

/// One line an event, equal for equal runs.
std::string trace(const Host& host);

/// PEERWATCH_SIM_SEEDS in the environment, else 1000.
unsigned seeds();

/// Runs the scenario for that many seeds; it returns what is wrong or nothing. Fails the test naming the first bad
/// seed.
void for_every_seed(const std::function<std::string(std::uint64_t seed)>& scenario);

}  // namespace pw::sim
