// Whereabouts: what this node knows of its place in the network, as sessions need it to reach peers directly. The node
// keeps it up to date in the context; Table::whereabouts_changed says that any of it but `revision` is another.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "nat/exchange.hpp"
#include "nat/plan.hpp"

namespace pw::peer {

struct Whereabouts {
  bool told = false;               // to peers at all: nat.enabled
  wire::Candidates message;
  nat::Surroundings around;        // judges what peers tell
  std::array<bool, 2> families{};  // by Family: this node has a socket and an address of it
  std::vector<SocketAddress> stun;  // servers that say where a socket is seen
  std::uint64_t revision = 0;      // of what peers are told
};

}  // namespace pw::peer
