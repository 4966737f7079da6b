// Observations: where our own bootstraps and relays see peers, which are at the other ends of channels through them. What a
// peer says of its addresses is its word; this is not. The node keeps it up to date.
#pragma once

#include <map>
#include <vector>

#include "base/address.hpp"
#include "base/peer_id.hpp"

namespace pw::peer {

class Observations {
 public:
  void set(Via channel, const PeerId& peer, const IpAddress& seen) { seen_[channel] = {peer, seen}; }
  /// With the channel.
  void forget(Via channel) { seen_.erase(channel); }
  /// Linear in the channels of this node.
  std::vector<IpAddress> of(const PeerId& peer) const {
    std::vector<IpAddress> all;
    for (const auto& [channel, one] : seen_)
      if (one.peer == peer) all.push_back(one.seen);
    return all;
  }

 private:
  struct Seen {
    PeerId peer;
    IpAddress seen;
  };
  std::map<Via, Seen> seen_;
};

}  // namespace pw::peer
