// Location: where this node stands in the network, and all that changes with it: its own addresses and what its NATs do
// (Surroundings), the ways out, the port that is mapped for it at the gateway (PortKeeper) and whether that works
// (MappingCheck), and what sessions are told of these (Locator).
//
// Order of calls: handle_* and commands as things arrive; after everything that may have changed any of it, update(). Events
// and requests go to the node's outbox, packets are drained from poll_transmit. Then rearm at poll_timeout.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "event/interfaces.hpp"
#include "event/snapshot.hpp"
#include "mesh/mapping_check.hpp"
#include "mesh/port_keeper.hpp"
#include "mesh/surroundings.hpp"
#include "mesh/whereabouts.hpp"
#include "peer/context.hpp"

namespace pw::mesh {

class Location {
 public:
  /// `listening`: where the node's sockets are bound. Both references outlive this.
  Location(peer::Context& context, const std::vector<SocketAddress>& listening, Rng rng)
      : context_{context},
        surroundings_{context, listening, rng.split(), context.next_via},
        ports_{context.out, port_of(listening, Family::v4), rng.split(), context.next_via},
        check_{rng.split()},
        locator_{listening} {}

  // ---- commands
  void configure(Instant now, const NatTerms& terms);
  void stop(Instant now);
  /// True if what peers are told is another, or what theirs are judged by.
  bool update(Instant now, Services& services);

  // ---- input. Of the first three: true if the node is somewhere else now, so that all paths are to be looked at
  bool handle_interfaces(Instant now, event::Interfaces interfaces);
  bool handle_gateway(Instant now, const std::optional<event::Gateway>& gateway);
  bool handle_gateway_v6(Instant now, const std::optional<event::Gateway>& gateway);
  void handle_port_mapped(Instant now, const event::PortMapped& result) { ports_.handle_port_mapped(now, result); }
  void handle_clock_jump(Instant now, Duration by);
  /// These: false if it is not of this.
  bool handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses) {
    return surroundings_.handle_resolved(now, id, addresses);
  }
  bool handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
    return surroundings_.handle_socket(now, via, bound) || ports_.handle_socket(now, via, bound);
  }
  bool handle_stun(Instant now, Instant received_at, const PathAddress& from, const wire::stun::Message& message) {
    return check_.handle_stun(from, message) || surroundings_.handle_stun(now, received_at, from, message);
  }
  /// To the socket that speaks with the gateway: nothing of STUN or QUIC.
  bool handle_gateway_datagram(Instant now, const PathAddress& from, ByteView bytes);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<Transmit> poll_transmit();
  Instant poll_timeout() const {
    return earlier(check_.poll_timeout(), earlier(surroundings_.poll_timeout(), ports_.poll_timeout()));
  }

  // ---- getters
  /// Of all interfaces: what packets may leave from.
  const std::vector<IpAddress>& addresses() const { return surroundings_.addresses(); }
  /// It has an address that somebody outside may know.
  bool is_somewhere() const {
    return !surroundings_.usable(Family::v4).empty() || !surroundings_.usable(Family::v6).empty();
  }
  /// Those of that family that answer STUN, as the operator named them and as bootstraps are configured.
  std::vector<SocketAddress> stun_servers(Family family) const { return surroundings_.servers(family); }
  /// A socket that measures NATs: what comes there is nobody else's.
  bool owns(Via via) const { return surroundings_.owns(via); }
  event::NatSnapshot snapshot() const;

 private:
  void check_mapping(Instant now, Services& services);

  peer::Context& context_;
  Surroundings surroundings_;
  PortKeeper ports_;
  MappingCheck check_;
  std::array<std::uint64_t, 3> checked_{};  // revisions of what it was told of
  Locator locator_;
  std::optional<std::optional<event::Gateway>> gateway_v6_;  // once it was told
};

}  // namespace pw::mesh
