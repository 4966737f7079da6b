// Commands: what befalls the carried network while it runs. A line is either a [[do]] of docs/scenarios.md as JSON, done
// at once (`at` has no meaning then and may be left out), or the word "start": the scenario's time begins, and its own
// changes of links, routers and addresses are done when they are due. Cables and programs are left to the laboratory.
#pragma once

#include <functional>
#include <string>

#include "sim/scenario/scenario.hpp"
#include "sim/topology/network.hpp"

namespace pw::lab {

class Commands {
 public:
  /// `plugged`: told when a real host's cable is pulled out or put in again.
  using Plugged = std::function<Status(net::Device& device, bool in)>;
  Commands(net::Net& net, sim::scenario::Network& network, const sim::scenario::Scenario& scenario, Plugged plugged);

  /// "ok", or "error …" with one line of what is wrong; then nothing was changed.
  std::string execute(const std::string& line);

 private:
  std::string start();
  Status carry_out(const sim::scenario::Do& action);
  Status plug(const std::string& host, bool in);
  Status change_addresses(const sim::scenario::Do& action);

  net::Net& net_;
  sim::scenario::Network& network_;
  const sim::scenario::Scenario& scenario_;
  Plugged plugged_;
  bool started_ = false;
};

}  // namespace pw::lab
