// What the driver tells the core of this machine's network.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "base/address.hpp"

namespace pw::event {

struct InterfaceAddress {
  std::string interface;
  IpAddress ip;
  bool excluded = false;  // by network.exclude_interfaces, or loopback: of no use to anybody outside
  auto operator<=>(const InterfaceAddress&) const = default;
};

/// The way out of a family: the router that packets to the internet go by, and the address that they leave from.
/// The router's may be link-local, without its zone.
struct Gateway {
  IpAddress address;
  IpAddress own;
  bool operator==(const Gateway&) const = default;
};

/// Every address that packets can leave from now, of interfaces that are up: ordered, each once. IPv6 link-local
/// addresses are left out: without their zone they are no addresses.
using Interfaces = std::vector<InterfaceAddress>;

}  // namespace pw::event
