// Side: the tables that a NatBox has of one protocol, each with its key and its lifetime. nat.cpp alone reads and writes them.
#pragma once

#include <unordered_map>
#include <variant>
#include <vector>

#include "base/deadlines.hpp"
#include "sim/net/aging_table.hpp"
#include "sim/net/nat_ports.hpp"

namespace pw::net::nat {

struct Mapping {
  std::uint64_t id = 0;  // never used again, so that what points to a mapping that is gone points to nothing
  SocketAddress inner;
  SocketAddress scope;  // the remotes that it is for
  bool fixed = false;   // made by map()
};
using Mappings = AgingTable<SocketAddress, Mapping>;  // by outer endpoint
using Entry = Mappings::Entry;

struct Carrier {
  std::uint64_t id = 0;
  SocketAddress outer;
};

/// A mapping has sent to this address: what address-dependent filtering asks.
struct Permission {
  std::uint64_t id = 0;
  IpAddress remote;
  bool operator==(const Permission&) const = default;
};
struct PermissionHash {
  std::size_t operator()(const Permission& p) const noexcept {
    return std::hash<IpAddress>{}(p.remote) ^ static_cast<std::size_t>(p.id * 0x9e3779b97f4a7c15ULL);
  }
};

/// All that is known of one protocol.
struct Side {
  Duration timeout{};
  Mappings mappings;                                           // dynamic
  std::unordered_map<Ends, std::vector<Entry*>, EndsHash> of;  // these by inner endpoint and scope, the newest last
  std::unordered_map<SocketAddress, Entry> fixed;              // static, by inner endpoint
  Deadlines<SocketAddress> fixed_until;
  std::unordered_map<SocketAddress, Entry*> at;                // both, by outer endpoint
  AgingTable<Ends, Carrier, EndsHash> flows;                   // inner, remote
  AgingTable<Permission, std::monostate, PermissionHash> sent_to;  // kept for address-dependent filtering only
  AgingTable<Ends, std::monostate, EndsHash> tracked;          // remote, outer
  std::vector<PortAllocator> ports;                            // by index of the outer address

  const Entry* carrier(Instant now, const Carrier& c) const {
    const auto found = at.find(c.outer);
    return found != at.end() && found->second->value.id == c.id && found->second->lives(now) ? found->second : nullptr;
  }
};

}  // namespace pw::net::nat
