// Segment: one network that packets cross without being changed: a LAN, a carrier's inside, the internet's core.
// Interface: a device's plug in it. A packet passes three wires: the sender's access link up, the pair's wire inside the
// segment, the receiver's access link down. Each may be ideal, and then costs neither time nor work.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/net/flight.hpp"
#include "sim/net/link.hpp"

namespace pw::net {

class Net;
class Segment;
struct Interface;

/// Anything with interfaces: a machine or a router.
class Device {
 public:
  Device(Net& net, std::string name) : net_{net}, name_{std::move(name)} {}
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  const std::string& name() const { return name_; }
  /// A packet came in at one of its interfaces.
  virtual void arrive(Interface& at, Packet packet) = 0;

 protected:
  Net& net_;

 private:
  std::string name_;
};

struct Interface {
  Device& device;
  Segment& segment;
  std::size_t index;  // unique a Net, never given again
  std::string label;  // "segment/device", "segment/device#2" …
  Wire up;    // from the device into the segment
  Wire down;  // from the segment to the device
  bool enabled = true;  // false: unplugged
  std::vector<IpAddress> addresses;  // changed by Segment::set_addresses only

  bool has(const IpAddress& address) const;
  std::optional<IpAddress> address(Family family) const;  // the first
};

struct Prefix {
  IpAddress base;
  unsigned length = 0;
  bool contains(const IpAddress& address) const;
  /// "192.0.2.0/24", "2001:db8::/32".
  static Result<Prefix> parse(std::string_view text);
};

class Segment {
 public:
  /// `hops`: routers that a packet crosses inside, each of which lowers its TTL.
  Segment(Net& net, std::string name, Link default_link, unsigned hops);

  Interface& attach(Device& device, std::vector<IpAddress> addresses, const Link& access = {});
  void detach(Interface& interface);  // packets under way to it are lost; the reference dies
  /// An address that another plug has too belongs to whoever took it last, until that one gives it up.
  void set_addresses(Interface& interface, std::vector<IpAddress> addresses);
  /// Who takes what nobody here owns (a default gateway), a family.
  void set_gateway(Family family, Interface& interface);
  /// Who takes a prefix that lies behind it; before the gateway. The longest prefix wins.
  void add_route(const Prefix& prefix, Interface& via);

  /// Sends: from now on the packet is under way to the owner of its destination, to a route, or to the gateway, whoever
  /// that is now.
  void send(Interface& from, Packet packet);
  /// A packet in this segment that is due: goes on to the next wire that takes time, or to its end. Net calls this.
  void advance(Flight flight);

  /// The wire from one plug to another; made with default_link on first use.
  Wire& wire(const Interface& from, const Interface& to);
  Link default_link;
  unsigned hops;

  const std::string& name() const { return name_; }
  /// Who would get a packet to it that `from` sends; null: nobody.
  Interface* next_hop(const Interface& from, const IpAddress& destination) const;
  /// The same without the gateway: who is known to have it.
  Interface* route(const Interface& from, const IpAddress& destination) const;

 private:
  Wire* wire_ahead(const Flight& flight);
  void own(const IpAddress& address, Interface& interface);
  void disown(const IpAddress& address, const Interface& interface);

  Net& net_;
  std::string name_;
  std::vector<std::unique_ptr<Interface>> interfaces_;
  std::unordered_map<IpAddress, Interface*> owners_;
  std::vector<std::pair<Prefix, Interface*>> routes_;  // the longest prefix first
  std::array<Interface*, 2> gateways_{};
  std::unordered_map<std::uint64_t, Wire> wires_;  // by both indices
};

}  // namespace pw::net
