// The steps of load(): what the tables say, and whether they fit together.
#pragma once

#include "sim/scenario/fields.hpp"
#include "sim/scenario/scenario.hpp"

namespace pw::sim::scenario {

/// Where tables stand and how messages call them: parallel to the vectors of the scenario.
struct Places {
  struct At {
    config::Place place;
    std::string where;
  };
  std::vector<At> segments;
  std::vector<At> routers;
  std::vector<At> hosts;
  std::vector<At> dos;
  std::vector<At> expects;
};

struct Draft {
  Scenario scenario;
  Places places;
  std::vector<bool> after_given;  // of expects
};

void read_topology(Fields& file, Draft& draft);
/// After the topology: what a link change does not name is the segment's.
void read_script(Fields& file, Draft& draft);
/// Names, addresses, who is where. Both checks: only of a draft that was read without a problem.
void check_topology(const Draft& draft, config::Problems& problems);
/// Who can do what, and who can be asked for what.
void check_script(const Draft& draft, config::Problems& problems);

}  // namespace pw::sim::scenario
