#include "sim/check/all.hpp"

#include "sim/check/legality.hpp"

namespace pw::sim {

std::vector<std::unique_ptr<Checker>> all_rules(const World&) {
  std::vector<std::unique_ptr<Checker>> rules;
  rules.push_back(std::make_unique<Legality>());
  return rules;
}

}  // namespace pw::sim
