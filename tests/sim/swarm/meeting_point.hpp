// MeetingPoint: the bootstrap and relay of some random worlds, on the internet, for most of their hosts. It has draws of its
// own, so that worlds without one are what they would be if there were none.
#pragma once

#include <optional>
#include <vector>

#include "sim/swarm/topology.hpp"

namespace pw::sim {

class MeetingPoint {
 public:
  static constexpr double kShare = 0.3;    // of worlds that have one
  static constexpr double kClients = 0.85;  // of hosts

  /// After the topology's hosts: it comes last. Configures those that are its clients.
  MeetingPoint(World& world, const Topology& topology);

  void start();
  /// Now and then it is killed, and back some seconds later.
  void live();
  void heal();

  bool exists() const { return server_ != nullptr; }
  bool serves(std::size_t host) const { return exists() && client_[host]; }
  /// Packets go from one to the other through it while nothing is wrong.
  bool joins(std::size_t a, std::size_t b) const;

 private:
  World& world_;
  const Topology& topology_;
  Rng rng_;
  Host* server_ = nullptr;
  std::vector<bool> client_;
  std::optional<Instant> start_at_;
};

}  // namespace pw::sim
