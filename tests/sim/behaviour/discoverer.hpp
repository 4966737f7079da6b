// Discoverer: a node's BehaviourDiscovery on a machine: the node's own socket, the further ones that it asks for, and what
// it costs. Place: that machine behind routers, opposite servers. And what has to be found there.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "nat/behaviour.hpp"
#include "sim/behaviour/verdict.hpp"
#include "sim/net/net.hpp"
#include "sim/stun/stun_server.hpp"

namespace pw::net {

class Discoverer : public Program {
 public:
  static constexpr std::uint16_t kOwnPort = 9470;

  Discoverer(Machine& machine, Family family, nat::BehaviourOptions options, Rng rng);
  ~Discoverer() override;

  void start(const std::vector<SocketAddress>& servers);
  void stop();
  const event::NatBehaviour& result() const { return discovery.result(); }

  std::uint32_t next_via = 1;
  nat::BehaviourDiscovery discovery;
  std::optional<Duration> took;        // until done
  unsigned packets = 0;                // sent until then
  unsigned packets_in_all = 0;
  Duration closest = Duration::max();  // of two packets
  std::map<SocketAddress, unsigned> asked;
  std::size_t most_sockets = 0;        // further ones at once
  bool opens_sockets = true;           // false: the system refuses
  std::size_t sockets() const { return vias_.size(); }

  void handle_arrival(Instant now, const Arrival& arrival) override;
  void handle_timeout(Instant now) override;
  Instant poll_timeout() const override { return discovery.poll_timeout(); }

 private:
  void drain(Instant now);
  std::uint16_t open_any();

  Machine& machine_;
  Family family_;
  Rng rng_;
  std::map<Via, std::uint16_t> vias_;
  Instant started_{};
  Instant last_packet_{};
};

struct PlaceOptions {
  std::vector<RouterOptions> routers;  // the first is the outermost
  Link internet{.delay = 20ms};
  Link access{};                       // of the machine
  std::vector<StunServerOptions> servers{StunServerOptions{}};
  std::size_t pool = 1;                // outer addresses of the outermost NAT
  Family family = Family::v4;
  nat::BehaviourOptions discovery{.lifetime = false};
  std::uint64_t seed = 1;
};

struct Place {
  explicit Place(const PlaceOptions& options);

  /// Runs until it is done, for an hour at most.
  void discover(std::vector<SocketAddress> asked = {});
  std::vector<SocketAddress> addresses() const;  // of the servers
  IpAddress address(unsigned group, unsigned number) const;  // a public one

  Family family;
  Net net;
  Segment& internet;
  std::vector<std::unique_ptr<StunServer>> servers;
  Machine& machine;
  Segment* inside = nullptr;  // where the machine is
  std::unique_ptr<Discoverer> node;
};

/// Every combination of mapping, filtering and allocation.
std::vector<NatOptions> every_nat();

}  // namespace pw::net
