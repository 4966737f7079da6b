// What the label peer_id shows: an id's text under privacy.peer_id, short and yet unique among the labels in use.
#pragma once

#include <string>
#include <unordered_set>

#include "base/bytes.hpp"
#include "base/peer_id.hpp"
#include "observe/metrics.hpp"

namespace pw::observe {

class PeerLabels {
 public:
  /// Of a pseudonym: 80 bits, so that a collision is not expected in any mesh.
  static constexpr std::size_t kHashedSize = 16;

  PeerLabels(PeerLabel mode, Buffer key) : mode_{mode}, key_{std::move(key)} {}

  /// A label that nobody has. Where the usual length is taken already, the newcomer's gets longer:
  /// a label in use never changes.
  std::string take(const PeerId& id);
  void release(const std::string& label) { taken_.erase(label); }

  /// The label in its usual length.
  std::string usual(const PeerId& id) const { return whole(id).substr(0, usual_size()); }

 private:
  std::string whole(const PeerId& id) const;
  std::size_t usual_size() const;

  PeerLabel mode_;
  Buffer key_;
  std::unordered_set<std::string> taken_;
};

}  // namespace pw::observe
