// UdpSockets: every UDP socket of this node, one a family, as configured. All of its traffic goes through them, so that
// a NAT sees one mapping a family.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "io/transmit_queue.hpp"
#include "io/udp_socket.hpp"

namespace pw::io {

class UdpSockets {
 public:
  struct Port {
    UdpSocket socket;
    TransmitQueue out;
  };

  /// Opens `listen`, at most one address a family. A family that this machine doesn't have is a warning as long as
  /// another opened; everything else (a port in use, a foreign address) is an error that says what to change.
  static Result<UdpSockets> open(const std::vector<SocketAddress>& listen);

  const std::vector<std::string>& warnings() const { return warnings_; }
  std::vector<Port>& ports() { return ports_; }
  std::vector<SocketAddress> addresses() const;
  /// Reads one batch from one port.
  UdpSocket::Received receive(Port& port, Instant now, const UdpSocket::Take& take) {
    return port.socket.receive(batch_, now, take);
  }

  /// Queues it at the socket of its family; false (and dropped) when this node has no such socket.
  bool push(quic::Transmit transmit);

 private:
  std::vector<Port> ports_;
  std::vector<std::string> warnings_;
  ReceiveBatch batch_;
};

}  // namespace pw::io
