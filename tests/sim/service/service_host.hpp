// ServiceHost: a machine that runs one QUIC endpoint with a service::Server, some service::Clients, and connections to
// peers over whatever path; a driver without sessions, candidates and checks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "service/client.hpp"
#include "service/clients.hpp"
#include "service/server.hpp"
#include "sim/net/machine.hpp"
#include "sim/net/net.hpp"

namespace pw::sim {

class ServiceHost : public net::Program {
 public:
  static constexpr std::uint16_t kPort = 9470;

  ServiceHost(net::Machine& machine, std::uint8_t key);
  ~ServiceHost() override;

  /// Starts the process; again after kill().
  void start(const service::ServerOptions& options = {}, service::Admission admission = everybody());
  static service::Admission everybody() {
    service::Admission a;
    a.mode = service::AdmissionMode::open;
    return a;
  }
  void kill();
  const PeerId& id() const { return identity.id(); }
  SocketAddress address() const;
  PathAddress path_to(const ServiceHost& other) const { return {{}, other.address()}; }
  service::Client& add_client(const ServiceHost& server, wire::service::Services services,
                              service::Credentials credentials = {});
  service::Client& add_client(const PeerId& server, const PathAddress& at, wire::service::Services services,
                              service::Credentials credentials = {});
  void start_set(const std::vector<const ServiceHost*>& servers, wire::service::Services services);
  /// Signed; its number goes up.
  wire::PeerRecord record(std::uint32_t lifetime_s = 600);
  /// Runs `what(now)` as an input of this host, and everything that follows from it.
  template <class What>
  auto act(What what) {
    if constexpr (std::is_void_v<decltype(what(machine.now()))>) {
      what(machine.now());
      drain();
      machine.rearm(*this);
    } else {
      auto result = what(machine.now());
      drain();
      machine.rearm(*this);
      return result;
    }
  }

  template <class E>
  std::vector<E> told() const {
    std::vector<E> out;
    for (const auto& event : events)
      if (const auto* e = std::get_if<E>(&event)) out.push_back(*e);
    return out;
  }

  void handle_arrival(Instant now, const net::Arrival& arrival) override;
  void handle_timeout(Instant now) override;
  Instant poll_timeout() const override;

  net::Machine& machine;
  quic::Identity identity;
  service::ClientOptions client_options;
  std::unique_ptr<quic::Endpoint> endpoint;
  std::unique_ptr<service::Server> server;
  std::vector<std::unique_ptr<service::Client>> clients;
  std::unique_ptr<service::Clients> set;  // as a node has them; made by start_set
  /// Packets through channels go to QUIC, or, with this, here.
  bool keep_packets = false;
  std::map<Via, std::uint64_t> packets;       // with keep_packets
  std::map<Via, std::uint64_t> packet_bytes;
  std::vector<service::ClientEvent> events;   // but Arrived
  std::vector<quic::Established> peers;       // connections that no service took
  std::vector<quic::DatagramReceived> datagrams;
  std::vector<quic::Closed> closed;
  std::vector<std::size_t> sent_through_channels;  // sizes
  std::map<quic::Handle, quic::StreamId> streams;  // that somebody spoke on last
  std::map<quic::Handle, wire::service::Reader> said;  // on connections that no service took
  std::map<quic::Handle, wire::service::Challenge> challenges;  // of Welcomes among that
  std::size_t arrivals = 0;
  /// Asked before a packet is sent to a socket. True: it was sent on another way.
  std::function<bool(ByteView)> diverts;

 private:
  void drain();
  bool take_events();
  bool transmit();
  bool take(service::ClientEvent event);
  void hear(const quic::StreamData& data);

  std::uint64_t seed_;  // of the generators: equal ones would make equal connection IDs
  std::uint32_t next_via_ = 1;
  std::uint64_t sequence_ = 0;
  std::uint64_t generation_ = 0;
};

/// Hosts on one segment.
struct ServiceWorld {
  explicit ServiceWorld(std::uint64_t seed, const net::Link& link = {.delay = 10ms}) : net{seed} {
    segment = &net.add_segment("core", link);
  }
  ServiceHost& add(std::uint8_t key) {
    net::Machine& machine = net.add_machine("m" + std::to_string(key));
    machine.attach(*segment, {IpAddress::v4({192, 0, 2, key})});
    return *hosts.emplace_back(std::make_unique<ServiceHost>(machine, key));
  }
  void run(Duration time) { net.run_until(net.now() + time); }

  net::Net net;
  net::Segment* segment;
  std::vector<std::unique_ptr<ServiceHost>> hosts;
};

}  // namespace pw::sim
