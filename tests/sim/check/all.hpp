// The rules that hold in every world, each in a file of its own here.
#pragma once

#include <memory>
#include <vector>

#include "sim/checker.hpp"

namespace pw::sim {

std::vector<std::unique_ptr<Checker>> all_rules(const World& world);

}  // namespace pw::sim
