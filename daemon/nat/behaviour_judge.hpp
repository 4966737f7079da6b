// What observations of a NAT mean. Pure functions; the terms are those of RFC 4787.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "event/nat.hpp"

namespace pw::nat {

/// How a place of a server saw the node's own socket.
struct Sight {
  std::size_t server;
  SocketAddress place;
  SocketAddress mapped;
};

struct MappingVerdict {
  event::NatMapping mapping = event::NatMapping::unknown;
  bool at_least = false;  // depends on the address, whether on the port too could not be seen
  double agreement = 1;   // share of the servers that say nothing against it
  std::vector<std::size_t> against;  // the others
  std::string doubt;      // why it is unknown or below 1; for people
};
/// `own`: the endpoints of the node's socket itself, as far as they are known.
MappingVerdict judge_mapping(const std::vector<Sight>& sights, const std::vector<SocketAddress>& own);

/// A new mapping, made from a new socket.
struct PortSample {
  std::uint16_t inner;
  SocketAddress outer;
  bool at_once;  // its first packet was answered: it was made when its turn was, and not at a repeat
};
inline constexpr std::size_t kFewestInOrder = 4;  // samples made in order, to tell how ports are counted

struct AllocationVerdict {
  event::PortAllocation allocation = event::PortAllocation::unknown;
  int step = 0;
  std::string doubt;
};
/// In the order in which they were asked for. What others had mapped in between makes differences multiples of the step.
AllocationVerdict judge_allocation(const std::vector<PortSample>& samples);

}  // namespace pw::nat
