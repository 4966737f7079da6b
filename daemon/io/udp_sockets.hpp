// UdpSockets: every UDP socket of this node. One a family, as configured, carries its traffic, so that a NAT sees one
// mapping a family. Further ones come and go as the core asks: to learn what a NAT does, and to get through it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "io/transmit_queue.hpp"
#include "io/udp_socket.hpp"

namespace pw::io {

class UdpSockets {
 public:
  /// Further sockets at once: a birthday search of 256, the ones that such searches won, and behaviour discovery.
  static constexpr std::size_t kMaxFurther = 512;

  struct Port {
    Port(UdpSocket s, TransmitQueue q) : socket{std::move(s)}, out{std::move(q)} {}
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

  /// Opens a further socket: `at` that address, by default at the one that listens for the family, with a port of the
  /// system's choice. Fails when this node has none of that family, at kMaxFurther, or when the system refuses.
  Result<Port*> open(Via via, Family family, const std::optional<SocketAddress>& at = {});
  /// No-op if there is none.
  void close(Via via) { further_.erase(via); }

  /// Queues it at the socket that it names, by default the one of its family; false (and dropped) when there is none.
  /// Packets of further sockets leave in the order of push(), as long as these can send: who measures which port comes next
  /// counts on it.
  bool push(Transmit transmit);

 private:
  Port* listening(Family family);

  std::shared_ptr<SendBatch> send_batch_ = make_send_batch();
  std::vector<Port> ports_;
  std::unordered_map<Via, std::unique_ptr<Port>> further_;
  Via pushed_ = Via::own;  // of these, the last that something was queued at
  std::vector<std::string> warnings_;
  ReceiveBatch batch_;
};

}  // namespace pw::io
