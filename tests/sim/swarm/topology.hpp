// Topology: who is where in a random world, and by that who can reach whom. What it says comes from its own plan, not from
// asking routers, so that it can be wrong only by itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/world.hpp"

namespace pw::sim {

class Topology {
 public:
  /// Draws networks and `hosts` hosts in them into an empty world. All of it is deterministic.
  Topology(World& world, std::size_t hosts, Rng& rng);

  /// Whether packets from one host to that address (numeric or a name) get to the other's daemon, and answers back, while
  /// nothing is wrong: addresses of its machine that routers lead to, and static mappings, for sure and not by luck. Not
  /// what traversal could do.
  bool reaches(std::size_t from, std::size_t to, const HostPort& address) const;
  /// Some address of the other does.
  bool reaches(std::size_t from, std::size_t to) const;
  /// One reaches the other, or they meet by chance: two firewalls that both let answers in, when both dial.
  bool may_meet(std::size_t a, std::size_t b) const;
  /// It reaches hosts on the internet by IPv4, and their answers come back.
  bool goes_out(std::size_t host) const;
  /// By numbers and, last, by name: everything that somebody could write into a configuration for it.
  std::vector<HostPort> addresses(std::size_t host) const;
  const std::string& name(std::size_t host) const { return places_[host].name; }

  /// A router forgot everything: what its owner has configured is there again.
  void configure(net::Router& router) const;
  /// Hosts that it has static mappings for.
  std::vector<std::size_t> mapped_behind(const net::Router& router) const;
  /// Routers with a NAT.
  const std::vector<net::Router*>& nats() const { return nats_; }
  std::string to_string() const;

 private:
  /// A network behind a router; the first is the internet.
  struct Site {
    std::string name;
    net::Segment* segment = nullptr;
    net::Router* router = nullptr;
    std::size_t parent = 0;
    net::RouterOptions options;
    std::vector<IpAddress> outer;  // the router's
    std::string lan;               // the first three bytes of its addresses
    std::string lan6;
    std::size_t hosts = 0;
  };
  struct Place {
    std::string name;
    std::size_t site = 0;
    std::vector<IpAddress> addresses;
    std::optional<SocketAddress> mapped;  // its router's static mapping
  };
  std::size_t add_home(std::size_t parent, Rng& rng);
  std::size_t add_carrier(Rng& rng);
  std::size_t add_blocked(Rng& rng);
  std::size_t add_site(Site site, const Link& access, std::vector<IpAddress> inner, std::vector<net::Prefix> behind);
  void place(std::size_t site, Rng& rng);
  void draw_distances(Rng& rng);
  bool reaches(std::size_t from, std::size_t to, const SocketAddress& at) const;
  bool answers_stray(const Place& place) const;
  bool has_v6(std::size_t host) const;
  bool udp_passes(std::size_t site) const;
  bool within(std::size_t site, std::size_t outer) const;

  World& world_;
  std::vector<Site> sites_;
  std::vector<Place> places_;
  std::vector<net::Router*> nats_;
};

}  // namespace pw::sim
