// Router: forwards between an outer segment and inner ones; translates if it has a NatBox, judges by its Firewall, and
// may answer port-mapping protocols. Nested routers make a carrier's NAT.
#pragma once

#include <optional>
#include <vector>

#include "sim/net/firewall.hpp"
#include "sim/net/nat.hpp"
#include "sim/net/port_mapper.hpp"
#include "sim/net/segment.hpp"

namespace pw::net {

struct RouterOptions {
  std::optional<NatOptions> nat;  // IPv4; IPv6 is routed
  FirewallOptions firewall;       // between NAT and inside: it sees inner addresses
  PortMapperOptions port_mapper;
};

class Router : public Device {
 public:
  Router(Net& net, std::string name, RouterOptions options, Rng rng);

  /// Once. `addresses`: the NAT's pool, and an IPv6 address if it has one.
  Interface& attach_outer(Segment& segment, std::vector<IpAddress> addresses, const Link& access = {});
  /// Becomes the gateway of the segment for the families of `addresses`. `behind`: prefixes that the outer segment routes
  /// here. Between inner segments it forwards without NAT and firewall.
  Interface& attach_inner(Segment& segment, std::vector<IpAddress> addresses, const std::vector<Prefix>& behind = {});

  /// None before attach_outer.
  NatBox* nat() { return nat_ ? &*nat_ : nullptr; }
  Firewall& firewall() { return firewall_; }
  PortMapper& port_mapper() { return port_mapper_; }
  Interface& outer() { return *outer_; }

  // ---- what befalls it
  /// Down for `d`; all state is forgotten.
  void reboot(Duration d);
  /// The complete new list, IPv6 included. If its IPv4 addresses (the pool) are others, mappings are forgotten.
  void change_addresses(std::vector<IpAddress> outer);

  void arrive(Interface& at, Packet packet) override;

 private:
  bool owns(const IpAddress& address) const;
  static bool lower_ttl(Packet& packet);
  void for_itself(Interface& at, const Packet& packet);
  void outbound(Interface& at, Packet packet);
  void inbound(Packet packet);
  Interface* inside(const Interface* except, const IpAddress& destination) const;
  void deliver_inside(Packet packet);
  void drop(const Packet& packet, Drop reason);

  RouterOptions options_;
  Rng rng_;
  std::optional<NatBox> nat_;
  Firewall firewall_;
  PortMapper port_mapper_;
  Interface* outer_ = nullptr;
  std::vector<Interface*> inner_;
  std::vector<Prefix> behind_;
  Instant down_until_{};
};

}  // namespace pw::net
