// StunService: this node as a STUN server, for whoever is a bootstrap. It answers at the node's own sockets, which is all that
// Binding needs; and where a family has a second address, at both addresses by two ports (RFC 5780), from sockets that serve
// nothing else. And it knocks at the mapped ports of clients, from one more socket that nobody ever speaks to: what arrives
// from there was let in by nothing but the mapping.
//
// Order of calls: as Node; requests for sockets go to the node's outbox. Until they are bound, and where one can't be, the
// second address is not named to anybody.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "event/service.hpp"
#include "peer/context.hpp"
#include "service/server.hpp"
#include "service/stun_responder.hpp"

namespace pw::mesh {

class StunService {
 public:
  /// `listening`: where the node's sockets are bound. `alternates`: at most one a family, whose own socket is bound to one
  /// address, not to any: that and the alternate are two addresses and two ports. `context` outlives this.
  StunService(peer::Context& context, std::vector<SocketAddress> listening, const std::vector<SocketAddress>& alternates);

  // ---- commands
  /// Lost unless can_knock().
  void knock(const service::Knock& knock);

  // ---- input
  /// False if it is not of this.
  bool handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  /// A STUN message that checks no path of ours. None: nobody is told anything.
  std::optional<Transmit> handle_stun(Instant now, const PathAddress& from, const wire::stun::Decoded& message,
                                      std::size_t size);
  /// Bytes that look like STUN and are none.
  void handle_broken() { count(event::StunResult::malformed); }

  // ---- output
  std::optional<Transmit> poll_transmit();

  // ---- getters
  bool can_knock() const { return bound_.contains(knocking_); }
  bool owns(Via via) const { return further_.contains(via); }
  /// By event::StunResult.
  const std::array<std::uint64_t, 5>& counts() const { return counts_; }

 private:
  Via open(Family family, const std::optional<SocketAddress>& at);
  void count(event::StunResult result) { ++counts_[static_cast<std::size_t>(result)]; }
  /// Where a datagram with that path came to; and the socket of an address.
  std::uint16_t port_of(const PathAddress& from) const;
  Via via_of(const SocketAddress& own) const;

  peer::Context& context_;
  std::vector<SocketAddress> listening_;
  std::vector<service::StunResponderOptions::Corners> corners_;  // whose sockets were asked for
  std::map<Via, SocketAddress> further_;                         // asked for or bound
  std::map<Via, SocketAddress> bound_;
  Via knocking_ = Via::own;  // IPv4, which has ports to map; own: there is none
  std::deque<Transmit> knocks_;
  service::StunResponder responder_;
  std::array<std::uint64_t, 5> counts_{};
};

}  // namespace pw::mesh
