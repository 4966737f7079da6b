// Node: the whole core behind one door. It routes between quic, probe and peer; it never decides.
//
// A driver calls handle_* (or a command), then drains poll_transmit, poll_event, poll_request and poll_reply until they
// are empty, then rearms one timer at poll_timeout. Everything happens on one thread; `now` never runs backwards.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/rng.hpp"
#include "base/transmit.hpp"
#include "event/command.hpp"
#include "event/event.hpp"
#include "event/interfaces.hpp"
#include "event/request.hpp"
#include "event/snapshot.hpp"
#include "mesh/service_options.hpp"
#include "mesh/surroundings.hpp"
#include "peer/context.hpp"
#include "peer/options.hpp"
#include "quic/endpoint.hpp"

namespace pw::mesh {

struct Options {
  quic::Options quic;
  peer::Options peer;
  ServiceOptions services;
  std::vector<SocketAddress> listening;  // where the node's own sockets are bound, at most one a family
};

class Node {
 public:
  /// `identity` outlives the node.
  Node(Instant now, Options options, const quic::Identity& identity, Rng rng);
  ~Node();

  // ---- input
  /// `received_at`: when the kernel had it (≤ now). `from.local`: the address that it came to.
  void handle_datagram(Instant now, Instant received_at, const PathAddress& from, ByteView bytes);
  void handle_timeout(Instant now);
  void handle_command(Instant now, event::Ticket ticket, const event::Command& command);
  void handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses);
  /// Answers OpenSocket.
  void handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  /// Answers OpenPipe: the address at the other end.
  void handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened);
  /// A client opened a pipe to this node. Its datagrams come through the number that is given here, with the client's address.
  [[nodiscard]] Via handle_pipe_accepted(Instant now, const SocketAddress& from);
  /// One that was open, whoever had opened it, ended, and not by ClosePipe.
  void handle_pipe_closed(Instant now, Via via);
  /// This machine's interfaces: before anything else, and whenever they changed.
  void handle_interfaces(Instant now, event::Interfaces interfaces);
  /// The way out by IPv4, if there is one: at the start, and whenever it may have changed.
  void handle_gateway(Instant now, const std::optional<event::Gateway>& gateway);
  /// The same of IPv6, which has no ports to map.
  void handle_gateway_v6(Instant now, const std::optional<event::Gateway>& gateway);
  /// Answers MapPort.
  void handle_port_mapped(Instant now, const event::PortMapped& result);
  /// The machine slept, or this process was stopped, for `by`.
  void handle_clock_jump(Instant now, Duration by);
  /// Telemetry that the driver itself has to tell: it takes its place in the one stream of events.
  void handle_event(Instant now, event::Event event);

  // ---- commands of the driver
  /// The peers, admission and intervals that are in force from now on (start, reload). Sessions of peers that are gone
  /// or no longer admitted end.
  void configure(Instant now, const peer::Membership& membership);
  /// What may be found out about NATs, and with whose help (start, reload).
  void configure(Instant now, const NatTerms& terms);
  /// Says goodbye to everybody; stopped() becomes true when all have heard or 2 s have passed.
  void shutdown(Instant now);

  // ---- output
  std::optional<Transmit> poll_transmit();
  std::optional<event::Record> poll_event();
  std::optional<event::Request> poll_request();
  std::optional<event::Reply> poll_reply();
  Instant poll_timeout() const;

  // ---- getters
  bool stopped() const;
  event::NodeSnapshot snapshot(Instant now) const;
  const event::InstanceId& instance() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pw::mesh
