// What the core asks of its driver, as values. Each is answered by a handle_* of the node, unless it says otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/address.hpp"

namespace pw::event {

/// Look a host name up; answered by handle_resolved with the same id, always, whatever the outcome.
struct Resolve {
  std::uint64_t id;
  std::string host;
};

/// Open one more UDP socket of that family, at a port that the system chooses; packets go and come through `via` from
/// then on. Answered by handle_socket: where it is bound, or why it can't be.
struct OpenSocket {
  Via via;
  Family family;
};

/// Not answered. What arrives afterwards is nobody's.
struct CloseSocket {
  Via via;
};

using Request = std::variant<Resolve, OpenSocket, CloseSocket>;

}  // namespace pw::event
