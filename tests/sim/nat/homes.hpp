// Two daemons, each behind what one of the matrix' columns has, who know each other by their ids only; a bootstrap that is a
// relay too, and a STUN server with two addresses.
#pragma once

#include <memory>
#include <optional>
#include <set>

#include "sim/checks.hpp"
#include "sim/net/puncher.hpp"
#include "sim/stun/stun_server.hpp"

namespace pw::sim {

struct Home {
  net::Place place = net::Place::open;
  bool input_accepts = false;
  std::optional<net::PortAllocation> ports = {};  // others than the place has
  std::optional<net::Hairpin> hairpin = {};
  net::PortMapperOptions mapper = {};  // if it speaks anything, the daemon has its port mapped by it
  bool ipv6 = false;                   // too, routed, through a firewall that lets in what was asked for; behind one router
};

class TwoHomes {
 public:
  static constexpr std::uint16_t kStunPort = 3478;

  /// Nobody has a home yet.
  explicit TwoHomes(std::uint64_t seed, World::Rules rules = World::Rules::all) : w{seed, rules}, server{w.add("server")} {
    net::Machine& machine = w.net.add_machine("stun");
    machine.attach(w.internet, {IpAddress::v4({12, 0, 0, 1}), IpAddress::v4({12, 0, 0, 2})});
    w.internet.hops = 1;
    w.names.known["stun.example"] = {IpAddress::v4({12, 0, 0, 1}), IpAddress::v4({12, 0, 0, 2})};
    stun = std::make_unique<net::StunServer>(machine, Family::v4);
    server.options.services.server.bootstrap = true;
    server.options.services.server.relay = true;
    server.websocket = true;
  }
  TwoHomes(std::uint64_t seed, const Home& first, const Home& second, World::Rules rules = World::Rules::all)
      : TwoHomes{seed, rules} {
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
  bool relayed() const { return relayed(event::PathKind::relay_quic, event::PathKind::relay_quic); }
  /// `as_a`, `as_b`: what it is to each of them, by its own way to the relay.
  bool relayed(event::PathKind as_a, event::PathKind as_b) const {
    return up() && a->peer(*b).path == as_a && b->peer(*a).path == as_b;
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
    net::RouterOptions options{.nat = net::nat_at(home.place), .firewall = {}, .port_mapper = home.mapper};
    options.nat->input_accepts = home.input_accepts;
    options.nat->ports = home.ports.value_or(options.nat->ports);
    options.nat->hairpin = home.hairpin.value_or(options.nat->hairpin);
    options.firewall.udp_blocked = home.place == net::Place::no_udp;
    options.firewall.stateful = home.ipv6;
    net::Router& router = w.net.add_router("router " + name, options);
    routers.push_back(&router);
    std::vector<IpAddress> outer{IpAddress::v4({11, 9, n, 1})};
    if (home.ipv6) outer.push_back(v6("2a00:9:" + std::to_string(n) + "::1"));
    router.attach_outer(w.internet, std::move(outer));
    if (home.place != net::Place::carrier) return settle_behind(router, w.net.add_segment("lan " + name), name, n, home);
    net::Segment& carrier = w.net.add_segment("lan " + name);
    router.attach_inner(carrier, {IpAddress::v4({100, 64, 0, 1})});
    return settle_at(carrier, name, n);
  }
  /// A home among others of a carrier.
  Host& settle_at(net::Segment& carrier, const std::string& name, std::uint8_t n) {
    net::Router& home = w.net.add_router("home " + name, {.nat = net::NatOptions{}, .firewall = {}, .port_mapper = {}});
    home.attach_outer(carrier, {IpAddress::v4({100, 64, 0, static_cast<std::uint8_t>(n + 1)})});
    return settle_behind(home, w.net.add_segment("inner lan " + name), name, n, {});
  }

 private:
  static IpAddress v6(const std::string& text) { return IpAddress::parse(text).value(); }

  Host& settle_behind(net::Router& router, net::Segment& lan, const std::string& name, std::uint8_t n, const Home& home) {
    const IpAddress gateway = IpAddress::v4({192, 168, n, 1});
    std::vector<IpAddress> inner{gateway};
    std::vector<IpAddress> own{IpAddress::v4({192, 168, n, 2})};
    std::vector<net::Prefix> behind;
    if (home.ipv6) {
      const std::string prefix = "2a00:" + std::to_string(n) + "::";
      inner.push_back(v6(prefix + "1"));
      own.push_back(v6(prefix + "2"));
      behind.push_back({v6(prefix), 64});
    }
    router.attach_inner(lan, std::move(inner), behind);
    Host& host = w.add(name, w.net.add_machine(name));
    host.machine().attach(lan, std::move(own));
    if (home.mapper.pcp || home.mapper.nat_pmp || home.mapper.upnp) {
      host.gateway = gateway;
      host.nat.map_port = true;
    }
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
    if (&from != &from_.machine() || packet.destination.ip != to_) return;
    ++packets;
    ports.insert(packet.destination.port);
  }
  std::uint64_t packets = 0;
  std::set<std::uint16_t> ports;

 private:
  World& world_;
  const Host& from_;
  IpAddress to_;
};

}  // namespace pw::sim
