// Surroundings: what the network around this node is: this machine's own addresses, as the driver tells them.
//
// Order of calls: handle_* as things arrive; what it says goes to the node's outbox.
#pragma once

#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "event/interfaces.hpp"
#include "peer/context.hpp"

namespace pw::mesh {

class Surroundings {
 public:
  explicit Surroundings(peer::Outbox& out) : out_{out} {}

  // ---- input
  /// True if they are others than before; the first time nothing has changed.
  bool handle_interfaces(Instant now, event::Interfaces interfaces);

  // ---- getters
  /// Of all interfaces, excluded ones too: what packets may leave from.
  const std::vector<IpAddress>& addresses() const { return addresses_; }

 private:
  peer::Outbox& out_;
  std::optional<event::Interfaces> interfaces_;
  std::vector<IpAddress> addresses_;
};

}  // namespace pw::mesh
