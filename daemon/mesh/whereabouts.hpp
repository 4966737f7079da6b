// What sessions tell peers of this node's place in the network, and judge theirs by, from those who know a part of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "mesh/port_keeper.hpp"
#include "mesh/services.hpp"
#include "mesh/surroundings.hpp"
#include "peer/whereabouts.hpp"

namespace pw::mesh {

/// Of a machine with more addresses the first ones are told: there has to be room for what servers see.
inline constexpr std::size_t kMaxHostCandidates = 8;

class Locator {
 public:
  /// `listening`: where the node's sockets are bound. Outlives this.
  explicit Locator(const std::vector<SocketAddress>& listening) : listening_{listening} {}
  /// After everything that may have changed one of them; costs nothing where nothing did. True if what peers are told is
  /// another, or what theirs are judged by.
  bool update(peer::Whereabouts& here, const Surroundings& surroundings, const Services& services, const PortKeeper& ports,
              const std::optional<IpAddress>& gateway_v6);

 private:
  const std::vector<SocketAddress>& listening_;
  std::array<std::uint64_t, 3> known_{};  // revisions of what it was made from
  std::optional<IpAddress> gateway_v6_;
};

/// As people are told.
std::vector<event::OwnCandidate> candidates_of(const peer::Whereabouts& here);

}  // namespace pw::mesh
