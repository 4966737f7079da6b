// FurtherSockets: who has asked for a UDP socket besides the node's own: rounds of punching, and paths that such rounds found.
// Each is one session's, from its request until it is closed; what comes there is for that session alone.
#pragma once

#include <optional>
#include <unordered_map>

#include "base/address.hpp"
#include "base/peer_id.hpp"

namespace pw::peer {

class FurtherSockets {
 public:
  /// A birthday search of 256 and what it leaves for paths that were found so; the driver has a few more, for measurements.
  static constexpr std::size_t kMax = 480;

  /// False: there are too many.
  bool add(Via via, const PeerId& peer) { return owners_.size() < kMax && owners_.emplace(via, peer).second; }
  void remove(Via via) { owners_.erase(via); }
  std::optional<PeerId> owner(Via via) const {
    const auto found = owners_.find(via);
    return found == owners_.end() ? std::nullopt : std::optional{found->second};
  }
  std::size_t size() const { return owners_.size(); }

 private:
  std::unordered_map<Via, PeerId> owners_;
};

}  // namespace pw::peer
