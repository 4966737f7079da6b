// What the core asks of its driver, as values. Each is answered by a handle_* of the node, unless it says otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/websocket_address.hpp"

namespace pw::event {

/// Look a host name up; answered by handle_resolved with the same id, always, whatever the outcome.
struct Resolve {
  std::uint64_t id;
  std::string host;
};

/// Open one more UDP socket of that family, at a port that the system chooses or just there; packets go and come through
/// `via` from then on. Answered by handle_socket: where it is bound, or why it can't be.
struct OpenSocket {
  Via via;
  Family family;
  std::optional<SocketAddress> at{};
};

/// Not answered. What arrives afterwards is nobody's.
struct CloseSocket {
  Via via;
};

/// Map a UDP port at that gateway by UPnP IGD, which is HTTP and blocks. Answered by handle_port_mapped with the same id,
/// always, whatever the outcome; one at a time is under way.
struct MapPort {
  std::uint64_t id;
  IpAddress gateway;
  SocketAddress own;
  std::uint16_t outer_port;  // that is wished for
  Duration lifetime;
};
struct PortMapped {
  std::uint64_t id;
  int code;  // 0: done; above: of UPnP (WANIPConnection:2, section 2.5); below: no gateway speaks it, or it failed
  SocketAddress external;
  Duration lifetime;  // 0: for good, or unknown
};

/// Delete it. Not answered.
struct UnmapPort {
  IpAddress gateway;
  SocketAddress own;
  std::uint16_t outer_port;
};

/// Open a pipe: a WebSocket over TLS that carries datagrams, one a binary message, which go and come through `via` like
/// those of a socket. Who is at the other end is proved inside, by QUIC: no certificate is verified. Answered by handle_pipe:
/// where it leads, or why there is none. One that was open and ends by itself is told by handle_pipe_closed.
struct OpenPipe {
  Via via;
  WebSocketAddress to;
};

/// Of those that this node opened and of those that it accepted. Not answered. What arrives afterwards is nobody's.
struct ClosePipe {
  Via via;
};

using Request = std::variant<Resolve, OpenSocket, CloseSocket, MapPort, UnmapPort, OpenPipe, ClosePipe>;

}  // namespace pw::event
