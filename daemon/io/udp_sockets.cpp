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
    all.ports_.emplace_back(std::move(*socket), TransmitQueue{fd, all.send_batch_});
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

UdpSockets::Port* UdpSockets::listening(Family family) {
  const auto port = std::ranges::find_if(ports_, [&](const Port& p) { return p.socket.family() == family; });
  return port == ports_.end() ? nullptr : &*port;
}

Result<UdpSockets::Port*> UdpSockets::open(Via via, Family family, const std::optional<SocketAddress>& at) {
  const Port* main = listening(family);
  if (!main) return fail("this node has no socket of that family");
  if (further_.size() >= kMaxFurther) return fail("too many further sockets are open");
  auto socket = UdpSocket::open(at.value_or(SocketAddress{main->socket.address().ip, 0}), via);
  if (!socket) return fail(socket.error().detail);
  const int fd = socket->fd();
  auto port = std::make_unique<Port>(std::move(*socket), TransmitQueue{fd, send_batch_});
  return further_.insert_or_assign(via, std::move(port)).first->second.get();
}

bool UdpSockets::push(Transmit transmit) {
  const auto further = further_.find(transmit.path.via);
  Port* port = transmit.path.via == Via::own ? listening(transmit.path.remote.ip.family())
               : further == further_.end()   ? nullptr
                                             : further->second.get();
  if (!port) return false;
  if (further != further_.end()) {
    const Via before = std::exchange(pushed_, further->first);
    if (const auto last = further_.find(before); before != pushed_ && last != further_.end()) last->second->out.flush();
  }
  port->out.push(std::move(transmit));
  return true;
}

}  // namespace pw::io
