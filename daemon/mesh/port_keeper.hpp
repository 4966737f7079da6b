// PortKeeper: keeps the node's IPv4 port mapped at its gateway (nat::PortMapping), from a socket that serves nothing else.
//
// Order of calls: handle_* and commands as things arrive; requests go to the node's outbox, packets are drained from
// poll_transmit. Then rearm at poll_timeout.
#pragma once

#include <deque>
#include <optional>

#include "base/rng.hpp"
#include "base/transmit.hpp"
#include "event/interfaces.hpp"
#include "event/snapshot.hpp"
#include "mesh/mapping_check.hpp"
#include "nat/port_mapping.hpp"
#include "peer/context.hpp"

namespace pw::mesh {

class PortKeeper {
 public:
  /// `port`: the node's own; 0: it has none of IPv4, and nothing is mapped. The references outlive this.
  PortKeeper(peer::Outbox& out, std::uint16_t port, Rng rng, std::uint32_t& next_via)
      : out_{out}, port_{port}, rng_{std::move(rng)}, next_via_{next_via} {}

  // ---- commands
  void configure(Instant now, bool wanted);
  /// Gives the mapping back: one message, as good as it goes.
  void release(Instant now) { configure(now, false); }

  /// The machine slept: the gateway may have forgotten.
  void check(Instant now);

  // ---- input
  /// True if it is another than before; the first time nothing has changed.
  bool handle_gateway(Instant now, const std::optional<event::Gateway>& gateway);
  /// False if it is not of this.
  bool handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  /// Whatever came to the socket that is owned here.
  void handle_datagram(Instant now, const PathAddress& from, ByteView bytes);
  void handle_port_mapped(Instant now, const event::PortMapped& result);
  /// What a check from outside found of that mapping.
  void handle_checked(Instant now, const MappingCheck::Verdict& verdict);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<Transmit> poll_transmit();
  Instant poll_timeout() const { return mapping_ ? mapping_->poll_timeout() : kNever; }

  // ---- getters
  bool owns(Via via) const { return via_ == via; }
  /// What is mapped by the gateway's word alone.
  std::optional<SocketAddress> unverified() const;
  /// Nothing: no mapping is wanted.
  std::optional<event::PortMappingSnapshot> snapshot() const;
  const std::optional<event::Gateway>& gateway() const { return gateway_; }
  /// Another one whenever any of this may be another.
  std::uint64_t revision() const { return revision_; }

 private:
  /// Begins, goes on or ends, as what is wanted and the gateway have it.
  void settle(Instant now);
  void close_socket();
  void drain();

  peer::Outbox& out_;
  std::uint16_t port_;
  Rng rng_;
  std::uint32_t& next_via_;
  bool wanted_ = false;
  std::optional<event::Gateway> gateway_;
  bool gateway_told_ = false;
  std::optional<event::Gateway> asked_;  // by mapping_: the last that there was
  std::optional<Via> via_;               // from the moment it was asked for
  bool bound_ = false;
  std::optional<nat::PortMapping> mapping_;
  std::deque<Transmit> transmits_;
  std::uint64_t revision_ = 0;
};

}  // namespace pw::mesh
