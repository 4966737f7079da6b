// BehaviourDiscovery: what the NATs and firewalls in front of this node do to one address family, found out as RFC 5780
// section 4 goes about it, with servers that answer STUN; and beyond it: how ports are allocated, whether UDP is blocked.
//
// Sans-IO. Asks its questions from the node's own socket (Via::own) where the node's own mapping is what matters, and
// from further sockets that it asks for and closes again: filtering, for instance, must be tested from a socket that the
// server's other address was never spoken to by. Loss is no answer: each question is repeated, and confidence says what
// is left of doubt.
//
// Order of calls: start() with the servers; after it and after every handle_* drain poll_transmit and poll_request, and
// call handle_timeout at poll_timeout. done() once the result stands; start() again when the network has changed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "base/transmit.hpp"
#include "event/nat.hpp"
#include "event/request.hpp"
#include "wire/stun.hpp"

namespace pw::nat {

struct BehaviourOptions {
  Duration interval = 500ms;  // between attempts of one question until an RTT is known
  unsigned attempts = 5;
  unsigned ports_sampled = 6;  // new mappings made one after another, to learn allocation and step
  std::size_t max_servers = 4;
};

class BehaviourDiscovery {
 public:
  /// `next_via`: numbers for further sockets are drawn from it; it outlives the discovery.
  BehaviourDiscovery(Family family, BehaviourOptions options, Rng rng, std::uint32_t& next_via);
  ~BehaviourDiscovery();

  // ---- commands
  /// `own`: what the node's socket of this family is bound to and, if known, its host addresses (for "no NAT").
  void start(Instant now, std::vector<SocketAddress> servers, std::vector<IpAddress> host_addresses, std::uint16_t own_port);
  void stop();

  // ---- input
  void handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  /// True if it answered a question of this discovery.
  bool handle_stun(Instant now, Instant received_at, const PathAddress& from, ByteView datagram,
                   const wire::stun::Decoded& message);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<Transmit> poll_transmit();
  std::optional<event::Request> poll_request();
  Instant poll_timeout() const;

  // ---- getters
  bool done() const;
  /// As far as it is known; `measured` is when the last answer or verdict came.
  const event::NatBehaviour& result() const;
  bool owns(Via via) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pw::nat
