// Surroundings: what the network around this node is: this machine's addresses, as the driver tells them, and what the
// NATs in front of it do to each family, measured with STUN servers (nat::BehaviourDiscovery): those that the operator
// names, and the bootstraps, which answer STUN where they are dialled.
//
// A family is measured at the start, when the network or the servers have changed, and once an hour, since nothing says
// that a router was replaced. What was measured is kept until it is measured anew, unless the family's own addresses
// changed: then it says nothing about the network that this node is in now.
//
// Order of calls: handle_* and commands as things arrive; events and requests go to the node's outbox, packets are
// drained from poll_transmit. Then rearm at poll_timeout.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "event/interfaces.hpp"
#include "event/snapshot.hpp"
#include "nat/behaviour.hpp"
#include "peer/context.hpp"

namespace pw::mesh {

/// What an operator decides; a reload may change it.
struct NatTerms {
  bool enabled = true;
  std::vector<HostPort> stun_servers;  // besides the bootstraps
  bool map_port = false;  // the node's own, at the gateway
  bool prediction = true;  // ports of NATs that give others to each remote are predicted and searched for
  double packet_budget = peer::kPacketBudget;  // a second
  bool operator==(const NatTerms&) const = default;
};

/// Of the node's own socket; 0: it has none of that family.
std::uint16_t port_of(const std::vector<SocketAddress>& listening, Family family);

class Surroundings {
 public:
  /// Between two starts of one family's measurement, at least: a network that flaps must not become a flood of packets.
  static constexpr Duration kApart = 10s;
  /// What gives cause for one often comes in several steps: terms, then bootstraps; one interface, then another.
  static constexpr Duration kSettle = 10ms;
  static constexpr Duration kAgain = 1h;
  static constexpr Duration kAgainBlocked = 5min;    // nothing came back
  static constexpr Duration kAgainUnresolved = 1min;  // a server's name could not be looked up

  /// `listening`: where the node's sockets are bound. `next_via`: numbers for further sockets. Both references outlive
  /// this.
  Surroundings(peer::Context& context, const std::vector<SocketAddress>& listening, Rng rng, std::uint32_t& next_via);

  // ---- commands
  void configure(Instant now, const NatTerms& terms);
  /// What was found may be of another network.
  void measure_anew(Instant now);
  /// Nothing is asked any more, and further sockets are closed.
  void stop();

  // ---- input
  /// True if they are others than before, excluded ones aside; the first time nothing has changed.
  bool handle_interfaces(Instant now, event::Interfaces interfaces);
  /// Where the bootstraps answer STUN, in the operator's order. The families that this list differs in are measured by it,
  /// after a measurement that is under way; what was found stays meanwhile, since the network is the same.
  void handle_bootstraps(Instant now, std::vector<SocketAddress> servers);
  /// These two: false if it is not of this.
  bool handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses);
  bool handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  /// True if it answered a question. What comes to a socket that is owned here is nobody else's.
  bool handle_stun(Instant now, Instant received_at, const PathAddress& from, const wire::stun::Message& message);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<Transmit> poll_transmit();
  Instant poll_timeout() const;

  // ---- getters
  /// Of all interfaces, excluded ones too: what packets may leave from.
  const std::vector<IpAddress>& addresses() const { return addresses_; }
  /// Its own addresses that somebody outside may know.
  std::vector<IpAddress> usable(Family family) const;
  /// That are asked, the operator's first. A bootstrap at a private address stands on this side of a NAT, perhaps: it is
  /// left out where another server is outside.
  std::vector<SocketAddress> servers(Family family) const;
  bool enabled() const { return terms_.enabled; }
  const NatTerms& terms() const { return terms_; }
  bool owns(Via via) const;
  /// As it was measured last.
  const std::optional<event::NatBehaviour>& behaviour(Family family) const {
    return sides_[static_cast<std::size_t>(family)].found;
  }
  event::NatSnapshot snapshot() const;
  /// Another one whenever any of this may be another.
  std::uint64_t revision() const { return revision_; }

 private:
  struct Side {
    Family family;
    std::uint16_t port;  // of our socket; 0: there is none
    nat::BehaviourDiscovery discovery;
    event::NatState state = event::NatState::off;
    bool running = false;  // its measurement, until it is done
    Instant due = kNever;  // the next one
    std::optional<Instant> started{};
    std::optional<event::NatBehaviour> found{};  // when it was measured last
    std::optional<event::NatBehaviour> told{};
  };
  struct Lookup {
    std::uint64_t id;
    HostPort server;
  };

  bool wanted() const { return terms_.enabled && !(terms_.stun_servers.empty() && bootstraps_.empty()); }
  void forget(Instant now, Side& side);
  void measure_soon(Instant now, Side& side);
  void look_up(Instant now);
  void begin(Instant now);
  void begin(Instant now, Side& side);
  void after(Instant now, Side& side);

  peer::Context& context_;
  NatTerms terms_;
  std::optional<event::Interfaces> interfaces_;
  std::vector<IpAddress> addresses_;
  std::array<Side, 2> sides_;  // by Family
  std::vector<Lookup> lookups_;        // under way
  std::vector<SocketAddress> named_;   // by the operator: found by the last of them
  std::vector<SocketAddress> bootstraps_;
  std::vector<std::string> unresolved_;
  std::uint64_t revision_ = 0;
};

}  // namespace pw::mesh
