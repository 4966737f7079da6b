// Faults: makes them happen to a world, with ground truth, and takes them back. Faults of one wire or one machine add
// up and end each by itself: what is left is always what the topology had, changed by those that are still active.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "sim/world.hpp"

namespace pw::sim {

/// What a fault of that kind may do to sessions.
Effect effect_of(FaultKind kind);
/// Of a kind that a wire has: what it does to one direction.
void apply(Link& link, FaultKind kind, double amount);
/// Whether it is about packets from `host` to `other`, or without `other` about all that `host` sends and gets.
bool is_of_a_link(FaultKind kind);

class Faults {
 public:
  /// Lives as long as the world runs.
  explicit Faults(World& world);
  ~Faults();

  /// What `amount` is, a kind: slow: seconds a packet; large_lost: the largest IP packet; loss, reorder, duplicate,
  /// corrupt: probability; bursts: probability a packet that one of five begins; delay, jitter: seconds; throttled:
  /// bytes a second; noise: packets a second. Others have none.
  struct Plan {
    FaultKind kind = FaultKind::noise;
    std::size_t host = 0;              // except names_down and those of a router
    std::optional<std::size_t> other;  // of a pair
    net::Router* router = nullptr;     // nat_reboot, nat_addresses
    double amount = 0;
    std::optional<Duration> lasts;  // none: until end(); stopped, suspended, frozen and nat_reboot need it
  };
  using Id = std::size_t;
  /// From now on. One fault of a machine's own at a time: is_free() first; link_down to noise mix as they like.
  /// Plugs stay attached while a fault of their links is active: it refers to their wires.
  Id inflict(const Plan& plan);
  void end(Id id);
  /// All but who sleeps and what reboots: those end in their time.
  void end_all();
  std::size_t active() const { return active_.size(); }
  /// A router forgot everything: what its owner has configured (static mappings) is to be there again.
  std::function<void(net::Router&)> forgotten;
  /// No fault of the machine itself (crash … slow, interface_down, address_change) or the router is active.
  bool is_free(const Host& host) const;
  bool is_free(const net::Router& router) const;

 private:
  struct Active;
  std::vector<Link*> wires(const Plan& plan) const;
  void rework(Link& link);
  void begin(Active& a);
  void finish(Active& a);
  void tell_forgotten(net::Router& router) const;
  void record(Active& a);
  void make_noise(Id id);
  void forge(const Plan& plan);

  World& world_;
  Rng rng_;
  std::map<Id, Active> active_;
  std::map<Link*, Link> sound_;  // wires that faults have changed, as they were
  Id next_ = 0;
};

}  // namespace pw::sim
