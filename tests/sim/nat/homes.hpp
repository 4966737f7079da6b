// Two daemons, each behind what one of the matrix' columns has, who know each other by their ids only; a bootstrap that is a
// relay too, and a STUN server with two addresses.
#pragma once

#include <memory>
#include <optional>

#include "sim/checks.hpp"
#include "sim/net/puncher.hpp"
#include "sim/stun/stun_server.hpp"

namespace pw::sim {

struct Home {
  net::Place place = net::Place::open;
  bool input_accepts = false;
  std::optional<net::PortAllocation> ports = {};  // others than the place has
};

class TwoHomes {
 public:
  static constexpr std::uint16_t kStunPort = 3478;

  TwoHomes(std::uint64_t seed, const Home& first, const Home& second, World::Rules rules = World::Rules::all)
      : w{seed, rules}, server{w.add("server")} {
    net::Machine& machine = w.net.add_machine("stun");
    machine.attach(w.internet, {IpAddress::v4({12, 0, 0, 1}), IpAddress::v4({12, 0, 0, 2})});
    w.internet.hops = 1;
    w.names.known["stun.example"] = {IpAddress::v4({12, 0, 0, 1}), IpAddress::v4({12, 0, 0, 2})};
    stun = std::make_unique<net::StunServer>(machine, Family::v4);
    server.options.services.server.bootstrap = true;
    server.options.services.server.relay = true;
    a = &settle("a", 1, first);
    b = &settle("b", 2, second);
    acquaint(*a, *b);
  }
  void acquaint(Host& one, Host& other) {
    for (Host* host : {&one, &other}) {
      if (host->membership.servers.empty()) server.membership.peers.push_back(by_id(*host));
      host->membership.servers = {server.server_spec(true, true)};
      host->nat.stun_servers = {{"stun.example", kStunPort}};
    }
    one.membership.peers.push_back(by_id(other));
    other.membership.peers.push_back(by_id(one));
  }
  /// One more machine in the network of a home.
  Host& settle_beside(const std::string& name, const Host& neighbour, const IpAddress& address) {
    Host& host = w.add(name, w.net.add_machine(name));
    host.machine().attach(neighbour.machine().interfaces().front()->segment, {address});
    return host;
  }
  static event::PeerSpec by_id(const Host& host) { return {host.id(), host.name(), false, {}}; }
  bool up() const { return a->connected(*b) && b->connected(*a); }
  static bool direct(const Host& one, const Host& other) {
    return one.connected(other) && one.peer(other).path == event::PathKind::direct_v4;
  }
  bool direct() const { return direct(*a, *b) && direct(*b, *a); }
  bool relayed() const {
    return up() && a->peer(*b).path == event::PathKind::relay_quic && b->peer(*a).path == event::PathKind::relay_quic;
  }

  World w;
  Host& server;
  std::unique_ptr<net::StunServer> stun;
  Host* a = nullptr;
  Host* b = nullptr;
  std::vector<net::Router*> routers;  // that face the internet

  /// One more home.
  Host& settle(const std::string& name, std::uint8_t n, const Home& home) {
    if (home.place == net::Place::open) return w.add(name);
    net::RouterOptions options{.nat = net::nat_at(home.place), .firewall = {}, .port_mapper = {}};
    options.nat->input_accepts = home.input_accepts;
    options.nat->ports = home.ports.value_or(options.nat->ports);
    options.firewall.udp_blocked = home.place == net::Place::no_udp;
    net::Router& router = w.net.add_router("router " + name, options);
    routers.push_back(&router);
    router.attach_outer(w.internet, {IpAddress::v4({11, 9, n, 1})});
    net::Segment* lan = &w.net.add_segment("lan " + name);
    if (home.place == net::Place::carrier) {
      router.attach_inner(*lan, {IpAddress::v4({100, 64, 0, 1})});
      net::Router& inner = w.net.add_router("home " + name, {.nat = net::NatOptions{}, .firewall = {}, .port_mapper = {}});
      inner.attach_outer(*lan, {IpAddress::v4({100, 64, 0, 2})});
      lan = &w.net.add_segment("inner lan " + name);
      inner.attach_inner(*lan, {IpAddress::v4({192, 168, n, 1})});
    } else {
      router.attach_inner(*lan, {IpAddress::v4({192, 168, n, 1})});
    }
    Host& host = w.add(name, w.net.add_machine(name));
    host.machine().attach(*lan, {IpAddress::v4({192, 168, n, 2})});
    return host;
  }
};

/// Packets that a machine sends to one address.
class SentTo : public net::Observer {
 public:
  SentTo(World& world, const Host& from, const IpAddress& to) : world_{world}, from_{from}, to_{to} {
    world_.net.add_observer(*this);
  }
  ~SentTo() override { world_.net.remove_observer(*this); }
  void sent(Instant, const net::Machine& from, const net::Packet& packet) override {
    packets += &from == &from_.machine() && packet.destination.ip == to_;
  }
  std::uint64_t packets = 0;

 private:
  World& world_;
  const Host& from_;
  IpAddress to_;
};

}  // namespace pw::sim
