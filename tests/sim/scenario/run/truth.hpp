// Truth: puts what a script does on the world's record of faults: whom it touches, from when to when, what it may cause.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/scenario/scenario.hpp"
#include "sim/world.hpp"

namespace pw::sim::scenario {

class Truth {
 public:
  Truth(World& world, const Scenario& scenario) : world_{world}, scenario_{scenario} {}

  /// What was done just now; changes of the same thing end what was on record of it.
  void record(const Do& done);
  /// What lasts is over.
  void over(const Do& done);

 private:
  using Records = std::vector<std::size_t>;
  void begin(Records& records, FaultKind kind, std::size_t host, std::optional<std::size_t> other, double amount,
             const std::string& router);
  void end(const std::string& key);
  void link(const Do& done);
  /// The daemons that are reached through a host or router: its own, or those behind it.
  std::vector<std::size_t> behind(const std::string& device) const;

  World& world_;
  const Scenario& scenario_;
  std::map<std::string, Records> open_;
};

}  // namespace pw::sim::scenario
