#include "io/udp_sockets.hpp"

#include <algorithm>
#include <utility>

namespace pw::io {

Result<UdpSockets> UdpSockets::open(const std::vector<SocketAddress>& listen) {
  UdpSockets all;
  for (const SocketAddress& address : listen) {
    const auto same_family = [&](const Port& p) { return p.socket.family() == address.ip.family(); };
    if (std::ranges::any_of(all.ports_, same_family))
      return fail("UDP " + address.to_string() + ": one address a family is the most that network.listen takes");
    auto socket = UdpSocket::open(address);
    if (!socket) {
      if (!socket.error().family_unavailable) return fail(socket.error().detail);
      all.warnings_.push_back(socket.error().detail);
      continue;
    }
    const int fd = socket->fd();
    all.ports_.push_back({std::move(*socket), TransmitQueue{fd}});
  }
  if (!all.ports_.empty()) return all;
  if (all.warnings_.empty()) return fail("network.listen is empty: this node needs at least one UDP address");
  return fail(all.warnings_.front());
}

std::vector<SocketAddress> UdpSockets::addresses() const {
  std::vector<SocketAddress> out;
  for (const Port& port : ports_) out.push_back(port.socket.address());
  return out;
}

bool UdpSockets::push(quic::Transmit transmit) {
  const Family family = transmit.path.remote.ip.family();
  const auto port = std::ranges::find_if(ports_, [&](const Port& p) { return p.socket.family() == family; });
  if (port == ports_.end()) return false;
  port->out.push(std::move(transmit));
  return true;
}

}  // namespace pw::io
