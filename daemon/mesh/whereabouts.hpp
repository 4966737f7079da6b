// What sessions tell peers of this node's place in the network, and judge theirs by, from those who know a part of it.
#pragma once

#include <vector>

#include "mesh/port_keeper.hpp"
#include "mesh/services.hpp"
#include "mesh/surroundings.hpp"
#include "peer/whereabouts.hpp"

namespace pw::mesh {

/// Of a machine with more addresses the first ones are told: there has to be room for what servers see.
inline constexpr std::size_t kMaxHostCandidates = 8;

/// `listening`: where the node's sockets are bound.
peer::Whereabouts locate(const std::vector<SocketAddress>& listening, const Surroundings& surroundings,
                         const Services& services, const PortKeeper& ports);

/// As people are told.
std::vector<event::OwnCandidate> candidates_of(const peer::Whereabouts& here);

}  // namespace pw::mesh
