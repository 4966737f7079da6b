// Host: a machine of the simulated internet that runs the daemon's core, is killed, and runs again. It is the core's
// driver, as daemon/io is with real sockets: one UDP socket, one timer, names looked up, pipes, polls drained after every input.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mesh/node.hpp"
#include "sim/net/machine.hpp"
#include "sim/pipes.hpp"

namespace pw::sim {

class World;

/// Of Host::key().
quic::Identity identity_of(std::size_t key);

class Host : public net::Program, private PipeOwner {
 public:
  static constexpr std::uint16_t kPort = 9470;

  /// `key`: whose identity it has; twins share one.
  Host(World& world, std::size_t index, std::size_t key, std::string name, net::Machine& machine, Rng rng);
  ~Host() override;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  std::size_t index() const { return index_; }
  const std::string& name() const { return name_; }
  const PeerId& id() const { return identity_.id(); }
  /// Whose identity: equal for twins.
  std::size_t key() const { return key_; }
  net::Machine& machine() const { return machine_; }
  /// Its machine's first address of the family, with kPort; unspecified if it has none.
  SocketAddress address(Family family = Family::v4) const;
  /// How others name this host in their configuration: by all addresses of its machine.
  event::PeerSpec spec() const;

  /// The same of a bootstrap, a relay, or both.
  event::ServerSpec server_spec(bool bootstrap, bool relay) const;

  /// Configures and starts a new instance of the daemon.
  void start();
  /// The process is gone at once: nothing is said to anybody.
  void kill();
  bool running() const { return node_ != nullptr; }
  bool frozen() const { return machine_.frozen(); }
  mesh::Node& node() { return *node_; }
  const mesh::Node& node() const { return *node_; }
  void configure();
  void shutdown();
  /// Tells the daemon of other interfaces than its machine has.
  void pretend(event::Interfaces interfaces);
  event::Ticket command(event::Command command);
  /// Instances so far.
  unsigned generation() const { return generation_; }

  /// In force at start() and configure().
  peer::Membership membership;
  mesh::NatTerms nat;
  bool websocket = false;  // listens for WebSockets (Pipes::kPort), of servers that tell of it in server_spec
  std::optional<IpAddress> gateway;  // that the machine's default route leads to
  std::optional<IpAddress> gateway_v6;
  mesh::Options options;
  /// Whether `events` grows; checkers and states are told in any case.
  bool keep_events = true;

  // ---- what was seen; times are the net's
  std::vector<event::Record> events;  // of all instances
  std::map<event::Ticket, event::Answer> answers;
  bool answered_twice = false;
  /// Commands to the instance that runs, without their answer yet.
  std::size_t unanswered() const;
  /// WebSockets that others have open here.
  std::size_t pipes_of_others() const { return pipes_ ? pipes_->accepted() : 0; }
  /// By a WebSocket that somebody opened from there; none: there is no such.
  std::optional<Pipes::Brought> brought_from(const SocketAddress& remote) const {
    return pipes_ ? pipes_->brought_from(remote) : std::nullopt;
  }
  template <class E>
  std::vector<E> all() const {
    std::vector<E> out;
    for (const auto& r : events)
      if (const auto* e = std::get_if<E>(&r.event)) out.push_back(*e);
    return out;
  }
  template <class E>
  std::size_t count() const {
    return all<E>().size();
  }
  event::NodeSnapshot snapshot() const { return node_->snapshot(machine_.now()); }
  event::PeerSnapshot peer(const Host& other) const;
  /// The port of a socket that is open.
  std::optional<std::uint16_t> port_of(Via via) const;
  /// Sockets that the core asked for, besides its own.
  const std::map<Via, SocketAddress>& further() const { return further_; }
  /// As the events say; the checkers hold the snapshot against it.
  event::SessionState state(const Host& other) const;
  bool connected(const Host& other) const { return state(other) == event::SessionState::connected; }

  // ---- as a program
  void handle_arrival(Instant now, const net::Arrival& arrival) override;
  void handle_timeout(Instant now) override;
  void handle_gap(Instant now, Duration by) override;
  void handle_network_change(Instant now) override;
  Instant poll_timeout() const override;

 private:
  /// A look-up under way; answered late, like everything, when the machine is busy.
  struct Lookup {
    Instant due;  // machine time
    std::uint64_t id;
    std::string name;
    bool refused;  // nobody answers
  };
  Pipes& pipes();
  Via pipe_accepted(Instant now, const SocketAddress& from) override;
  void pipe_opened(Instant now, Via via, const Result<SocketAddress>& opened) override;
  void pipe_closed(Instant now, Via via) override;
  void pipe_read(Instant now, const PathAddress& from, ByteView packet) override;
  void drain();
  void tell_network(Instant now);
  void transmit(const Transmit& transmit);
  void record(event::Record record);
  void serve(const event::Resolve& request);
  void serve(const event::OpenSocket& request);
  void serve(const event::CloseSocket& request);
  void serve(const event::MapPort& request);
  void serve(const event::UnmapPort& request);
  void serve(const event::OpenPipe& request);
  void serve(const event::ClosePipe& request);
  bool is_open(std::uint16_t port) const;
  Instant next_lookup() const;

  World& world_;
  std::size_t index_;
  std::size_t key_;
  std::string name_;
  net::Machine& machine_;
  quic::Identity identity_;
  Rng rng_;
  std::unique_ptr<mesh::Node> node_;
  std::unique_ptr<Pipes> pipes_;  // since one was needed
  std::deque<Lookup> lookups_;
  std::map<Via, SocketAddress> further_;  // sockets that the core asked for
  unsigned generation_ = 0;
  std::uint64_t next_ticket_ = 1;
  std::uint64_t first_ticket_ = 1;  // of the instance that runs
  std::map<PeerId, event::SessionState> states_;
};

}  // namespace pw::sim
