#pragma once

#include <cstdint>
#include <vector>

#include "service/client.hpp"
#include "service/server.hpp"

namespace pw::mesh {

/// In force from the start.
struct ServiceOptions {
  bool peer = true;              // the role peer: sessions with peers, besides whatever is served
  service::ServerOptions server; // the roles bootstrap and relay
  std::vector<SocketAddress> stun_alternate{};  // a bootstrap's second addresses: mesh/stun_service.hpp
  service::ClientOptions client{.notify = true};
  /// Of this node's record: greater than any before this start. The wall time in seconds will do.
  std::uint64_t first_sequence = 1;
};

}  // namespace pw::mesh
