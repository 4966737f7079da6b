#include "sim/check/all.hpp"

#include "sim/check/amplification.hpp"
#include "sim/check/bounds.hpp"
#include "sim/check/breakers.hpp"
#include "sim/check/causes.hpp"
#include "sim/check/deadlines.hpp"
#include "sim/check/leases.hpp"
#include "sim/check/legality.hpp"
#include "sim/check/storm.hpp"
#include "sim/check/traversals.hpp"
#include "sim/check/truth.hpp"
#include "sim/check/unsolicited.hpp"

namespace pw::sim {

std::vector<std::unique_ptr<Checker>> all_rules(const World& world) {
  std::vector<std::unique_ptr<Checker>> rules;
  auto truth = std::make_unique<Ground>();
  const Ground& ground = *truth;  // told first: the rules ask it about what they are told
  rules.push_back(std::move(truth));
  rules.push_back(std::make_unique<Legality>());
  rules.push_back(std::make_unique<DeadlinesKept>(world, ground));
  rules.push_back(std::make_unique<Causes>(ground));
  rules.push_back(std::make_unique<Bounds>(ground));
  rules.push_back(std::make_unique<Breakers>(world));
  rules.push_back(std::make_unique<Leases>(ground));
  rules.push_back(std::make_unique<Storm>(world, ground));
  rules.push_back(std::make_unique<Amplification>(world, ground));
  rules.push_back(std::make_unique<Unsolicited>(world, ground));
  rules.push_back(std::make_unique<Traversals>(ground));
  rules.push_back(std::make_unique<Truth>(ground));
  return rules;
}

}  // namespace pw::sim
