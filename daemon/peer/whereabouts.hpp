// Whereabouts: what this node knows of its place in the network, as sessions need it to reach peers directly. The node
// keeps it up to date in the context; Table::whereabouts_changed says that what peers are told is another.
#pragma once

#include "nat/exchange.hpp"
#include "nat/plan.hpp"

namespace pw::peer {

struct Whereabouts {
  bool told = false;        // to peers at all: nat.enabled
  wire::Candidates message;
  nat::Surroundings around;  // judges what peers tell
};

}  // namespace pw::peer
