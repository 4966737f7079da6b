// Pipes: those that this node opened to servers, and those that clients opened to this node as a server. Only QUIC of
// services comes through them: no peers and no checks, which prove real paths.
#pragma once

#include <unordered_set>

#include "base/address.hpp"

namespace pw::mesh {

class Pipes {
 public:
  bool has(Via via) const { return vias_.contains(via); }
  void opens(Via via) { vias_.insert(via); }
  Via accepted(std::uint32_t& next_via) { return *vias_.insert(Via{next_via++}).first; }
  /// False: it is closed already.
  bool closes(Via via) { return vias_.erase(via) != 0; }
  void closed(Via via) { vias_.erase(via); }

 private:
  std::unordered_set<Via> vias_;  // bounded by those who open them: a client each server, and the driver's limit
};

}  // namespace pw::mesh
