// BehaviourDiscovery: what the NATs and firewalls in front of this node do to one address family, found out as RFC 5780
// section 4 goes about it, with servers that answer STUN; and beyond it: how ports are allocated, whether UDP is blocked,
// how long a silent mapping lives.
//
// Sans-IO. Asks its questions from the node's own socket (Via::own) where the node's own mapping is what matters, and
// from further sockets that it asks for and closes again: filtering, for instance, must be tested from a socket that the
// server's other address was never spoken to by. Loss is no answer: each question is repeated, and confidence says what
// is left of doubt. An answer counts only with its question's transaction id, at the socket that asked, from where the
// question allows.
//
// What is asked, a packet every 5 ms at most:
//   every server        its plain question, from the node's own socket: mapping, UDP at all
//   the leader          a server that named another address (the first one, and another if it fails): its other port and
//                       its other address too. That tells the mapping, and that the places which the tests of filtering
//                       are answered from are alive: silence from a dead place would look like a filter.
//   from a new socket   the leader is asked to answer from its other address and port, and from its other port
//   from new sockets    one question each, in a row, to the first server that answered: port allocation
//   hairpin             two of these sockets send to each other's outer address
// 20 to 30 packets where nothing is lost, kMostPackets at most. Without loss it is done after 10 round trips of 30 ms or
// more. When no server ever answers, after `attempts` × `interval`.
//
// Lifetime is learned afterwards, done() notwithstanding, from one new socket a round: it is silent for 15 to 300 s, at
// most four rounds of 4 to 8 packets where nothing is lost. RESPONSE-PORT is never asked for: it lets anybody aim a server.
// So it can be known only where a new mapping differs from an old one:
//   by its port      allocation sequential or random; or, where the mapping depends on the remote and ports are preserved,
//                    by the mapping to a second remote, which did not get the preserved port
//   by its filter    mapping independent (or none: a firewall), filtering not: the leader's other place is spoken to,
//                    left alone, and asked for an answer from there by way of its first place. That is the life of what
//                    lets that remote in, which is what keeping a path alive has to hold.
// A NAT that preserves ports and lets everybody in gives the same picture with a new mapping as with an old one: then
// not_tested says so.
//
// Order of calls: start() with the servers; after it and after every handle_* drain poll_transmit and poll_request, and
// call handle_timeout at poll_timeout. done() once the result stands; start() again when the network has changed.
#pragma once

#include <array>
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
  Duration interval = 500ms;  // between attempts of one question at most; half of it where no RTT is known
  unsigned attempts = 5;      // before silence is believed; up to twice as many where packets are lost
  unsigned ports_sampled = 6;  // new mappings made one after another, to learn allocation and step; 4 at least
  std::size_t max_servers = 4;
  bool lifetime = true;
};

class BehaviourDiscovery {
 public:
  /// With the default options, lifetime not counted.
  static constexpr unsigned kMostPackets = 190;

  /// `next_via`: numbers for further sockets are drawn from it; it outlives the discovery.
  BehaviourDiscovery(Family family, BehaviourOptions options, Rng rng, std::uint32_t& next_via);
  ~BehaviourDiscovery();

  // ---- commands
  /// `servers`: those of another family are left out, and what is more than max_servers. `host_addresses`: the node's own
  /// of this family, if known, and `own_port` what its socket is bound to: for "no NAT". What was found before is
  /// forgotten.
  void start(Instant now, const std::vector<SocketAddress>& servers, std::vector<IpAddress> host_addresses,
             std::uint16_t own_port);
  /// Asks nothing any more and closes its sockets; what was found stays.
  void stop();

  // ---- input
  void handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  /// True if it answered a question of this discovery (or is one of its own that came back). Anything else is somebody
  /// else's, unless owns(from.via).
  bool handle_stun(Instant now, Instant received_at, const PathAddress& from, const wire::stun::Message& message);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<Transmit> poll_transmit();
  std::optional<event::Request> poll_request();
  Instant poll_timeout() const;

  // ---- getters
  /// Everything but the lifetime, which comes minutes later, stands.
  bool done() const;
  /// Whether UDP passes and `mapped` are known at once, the rest when done(); `measured` is when the last answer or
  /// verdict came.
  const event::NatBehaviour& result() const;
  /// A further socket of this discovery: what comes to it is nobody else's.
  bool owns(Via via) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pw::nat
