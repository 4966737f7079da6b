// Peers that can't reach one another, or don't know where, meet at a bootstrap and talk through a relay.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "sim/checks.hpp"
#include "sim/inflict.hpp"

using namespace pw;
using namespace pw::sim;
using event::PathKind;
using event::RequestResult;
using event::ServiceRequest;

namespace {

/// Two behind NATs of their own that nothing but a relay leads through: another random port for each remote. And a server
/// outside.
struct Homes {
  explicit Homes(std::uint64_t seed, bool relays = true)
      : w{seed}, server{w.add("server")}, a{at_home("a", 1)}, b{at_home("b", 2)} {
    server.options.services.server.bootstrap = true;
    server.options.services.server.relay = relays;
    server.membership.peers = {by_id(a), by_id(b)};
    a.membership.peers = {by_id(b)};
    b.membership.peers = {by_id(a)};
    for (Host* h : {&a, &b}) h->membership.servers = {server.server_spec(true, relays)};
  }
  static event::PeerSpec by_id(const Host& host) { return {host.id(), host.name(), false, {}}; }
  Host& at_home(const std::string& name, std::uint8_t n) {
    net::NatOptions nat;
    nat.mapping = nat.filtering = net::Dependence::address_and_port_dependent;
    nat.ports = net::PortAllocation::random;
    net::Segment& lan = w.net.add_segment("lan " + name);
    net::Router& router = w.net.add_router("router " + name, {.nat = nat, .firewall = {}, .port_mapper = {}});
    router.attach_outer(w.internet, {IpAddress::v4({11, 0, n, 1})});
    router.attach_inner(lan, {IpAddress::v4({192, 168, n, 1})});
    Host& host = w.add(name, w.net.add_machine(name));
    host.machine().attach(lan, {IpAddress::v4({192, 168, n, 2})});
    return host;
  }
  bool up() const { return a.connected(b) && b.connected(a); }
  bool relayed() const { return up() && a.peer(b).path == PathKind::relay_quic && b.peer(a).path == PathKind::relay_quic; }
  World w;
  Host& server;
  Host& a;
  Host& b;
};

std::string every_way(const Homes& h) {
  for (const auto& [here, there] : {std::pair{&h.a, &h.b}, std::pair{&h.b, &h.a}}) {
    const auto peer = here->peer(*there);
    if (peer.paths.size() != 1 || peer.paths[0].kind != PathKind::relay_quic) return here->name() + " has other paths";
    if (!peer.paths[0].rtt || *peer.paths[0].rtt < 40ms) return "the path's RTT is not that of two hops";
    const auto& traffic = peer.traffic[static_cast<std::size_t>(PathKind::relay_quic)];
    if (traffic[0].packets == 0 || traffic[1].packets == 0) return "no traffic is counted for the relay";
    // Checks go to where the peer might be, and nothing comes back.
    for (const PathKind direct : {PathKind::direct_v4, PathKind::direct_v6})
      if (peer.traffic[static_cast<std::size_t>(direct)][0].packets != 0) return "traffic came directly";
  }
  return {};
}

}  // namespace

TEST_CASE("two behind symmetric NATs, who know a server and each other's ids, meet through it within a second") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Homes h{seed};
    h.server.start();
    h.w.run_for(1s);
    h.a.start();
    h.b.start();
    if (!h.w.run_until([&] { return h.up(); }, 1s)) return "not connected within a second";
    if (!h.relayed()) return "not through the relay";
    h.w.run_for(20s);
    if (const auto wrong = every_way(h); !wrong.empty()) return wrong;
    const auto s = h.server.snapshot();
    if (s.serving->stats.forwarded_packets == 0 || s.serving->stats.entries != 2 || s.serving->stats.all_clients() != 2)
      return "the server says something else";
    if (h.a.snapshot().servers.at(0).channels == 0) return "no channel is told of";
    if (h.server.count<event::SessionEstablished>() != 0) return "the server took a client for a peer";
    return broken_rule(h.w);
  });
}

TEST_CASE("a bootstrap that is no relay carries enough for a session to come up") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Homes h{seed, false};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.relayed(); }, 3s)) return "not connected";
    return broken_rule(h.w);
  });
}

TEST_CASE("sessions end when their only relay dies, and are back soon after it is") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Homes h{seed};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.relayed(); }, 5s)) return "not connected";
    h.w.run_for(5s);
    h.server.kill();
    if (!h.w.run_until([&] { return !h.a.connected(h.b) && !h.b.connected(h.a); }, 60s)) return "sessions outlive all paths";
    if (h.a.snapshot().servers.at(0).state == event::ServerState::ready) return "a dead server is called ready";
    h.server.start();
    if (!h.w.run_until([&] { return h.relayed(); }, 90s)) return "the sessions did not come back";
    h.w.run_for(5s);
    return broken_rule(h.w);
  });
}

TEST_CASE("a session outlives a relay that restarts, over a new channel") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Homes h{seed};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.relayed(); }, 5s)) return "not connected";
    h.w.run_for(5s);
    h.server.kill();
    h.w.run_for(1s);
    h.server.start();
    h.a.events.clear();
    h.b.events.clear();
    h.w.run_for(30s);
    if (!h.relayed()) return "no path is back";
    if (h.a.count<event::SessionEnded>() + h.b.count<event::SessionEnded>() != 0) return "the session ended";
    return broken_rule(h.w);
  });
}

TEST_CASE("a goodbye goes through the relay, whoever opened the channel, and is answered") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    for (const bool first : {false, true}) {
      Homes h{seed};
      h.w.start_all();
      if (!h.w.run_until([&] { return h.relayed(); }, 20s)) return "not connected through the relay";
      h.w.run_for(2s);
      Host& leaves = first ? h.a : h.b;
      Host& stays = first ? h.b : h.a;
      leaves.shutdown();
      if (!h.w.run_until([&] { return leaves.node().stopped(); }, 1s)) return leaves.name() + " waits for an answer";
      const auto ended = stays.all<event::SessionEnded>();
      if (ended.empty()) return stays.name() + " does not know that the session is over";
      if (ended.back().reason != event::CloseReason::peer_shutdown)
        return stays.name() + " was told " + std::string{pw::name(ended.back().reason)};
    }
    return {};
  });
}

TEST_CASE("where the peer's address answers, the session is direct though there is a relay, and no channel is left") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Homes h{seed};
    Host& c = h.w.add("c");
    Host& d = h.w.add("d");
    for (Host* host : {&c, &d}) {
      h.server.membership.peers.push_back(Homes::by_id(*host));
      host->membership.servers = {h.server.server_spec(true, true)};
    }
    c.membership.peers = {d.spec()};
    d.membership.peers = {c.spec()};
    h.server.start();
    h.w.run_for(1s);
    c.start();
    d.start();
    if (!h.w.run_until([&] { return c.connected(d) && d.connected(c); }, 2s)) return "not connected";
    h.w.run_for(5s);
    const auto direct = [&] { return c.peer(d).path == PathKind::direct_v4 && d.peer(c).path == PathKind::direct_v4; };
    if (!direct()) return "it is not direct";
    // Again, while the server is there: a channel is open before the address has answered.
    net::Link far;
    far.delay = 50ms;
    h.w.both_ways(c, d, far);
    c.command(event::Disconnect{d.id()});
    h.w.run_for(3s);
    c.command(event::Connect{d.id(), {}});
    h.w.run_for(10s);
    if (!direct()) return "it is not direct the second time";
    constexpr auto kCoordinate = static_cast<std::size_t>(ServiceRequest::coordinate);
    // By c, unless d, which tries by itself, came first.
    const auto opened = [&](const Host& host) { return host.snapshot().servers.at(0).requests[kCoordinate][0] != 0; };
    if (!opened(c) && !opened(d)) return "no channel was opened";
    for (const Host* host : {&c, &d})
      if (host->snapshot().servers.at(0).channels != 0) return "a channel is left";
    return broken_rule(h.w);
  });
}

TEST_CASE("a session goes on through a relay while its direct path is cut, and goes back") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Homes h{seed};
    Host& c = h.w.add("c");
    Host& d = h.w.add("d");
    for (Host* host : {&c, &d}) {
      h.server.membership.peers.push_back(Homes::by_id(*host));
      host->membership.servers = {h.server.server_spec(true, true)};
    }
    c.membership.peers = {d.spec()};
    d.membership.peers = {c.spec()};
    h.w.start_all();
    if (!h.w.run_until([&] { return c.connected(d) && d.connected(c); }, 5s)) return "not connected";
    h.w.run_for(10s);
    Faults faults{h.w};
    faults.inflict({.kind = FaultKind::link_down, .host = 3, .other = 4, .router = nullptr, .amount = 0, .lasts = 20s});
    const auto both = [&](PathKind kind) { return c.peer(d).path == kind && d.peer(c).path == kind; };
    if (!h.w.run_until([&] { return both(PathKind::relay_quic); }, 10s)) return "it does not go on through the relay";
    h.w.run_for(5s);
    if (!both(PathKind::relay_quic)) return "it does not stay at the relay";
    if (!h.w.run_until([&] { return both(PathKind::direct_v4); }, 40s)) return "it does not go back";
    h.w.run_for(5s);
    if (c.count<event::SessionEnded>() + d.count<event::SessionEnded>() != 0) return "the session ended";
    return broken_rule(h.w);
  });
}

TEST_CASE("a session that came up through a relay moves to the peer's address when that answers after all") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Homes h{seed};
    Host& c = h.w.add("c");
    Host& d = h.w.add("d");
    for (Host* host : {&c, &d}) {
      h.server.membership.peers.push_back(Homes::by_id(*host));
      host->membership.servers = {h.server.server_spec(true, true)};
    }
    c.membership.peers = {d.spec()};
    d.membership.peers = {Homes::by_id(c)};
    Faults faults{h.w};
    faults.inflict({.kind = FaultKind::link_down, .host = 3, .other = 4, .router = nullptr, .amount = 0, .lasts = 4s});
    h.w.start_all();
    const auto both = [&](PathKind kind) { return c.peer(d).path == kind && d.peer(c).path == kind; };
    if (!h.w.run_until([&] { return both(PathKind::relay_quic); }, 3s)) return "not connected through the relay";
    if (!h.w.run_until([&] { return both(PathKind::direct_v4); }, 15s)) return "it does not move";
    if (c.count<event::SessionEnded>() + d.count<event::SessionEnded>() != 0) return "the session ended";
    return broken_rule(h.w);
  });
}

TEST_CASE("addresses that nobody answers at cost a quarter of a second before the relay") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Homes h{seed};
    h.a.membership.peers[0].addresses = {{"203.0.113.9", Host::kPort}};
    h.b.membership.peers[0].addresses = {{"203.0.113.8", Host::kPort}};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.relayed(); }, 1500ms)) return "not connected";
    h.w.run_for(15s);
    if (h.a.count<event::SessionEnded>() != 0) return "it did not last";
    return broken_rule(h.w);
  });
}

TEST_CASE("a client says what it asked of its server, and the server answers strangers' STUN") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Homes h{seed};
    h.w.start_all();
    h.w.run_for(20s);
    const auto server = h.a.snapshot().servers.at(0);
    const auto done = [&](ServiceRequest r) {
      return server.requests[static_cast<std::size_t>(r)][static_cast<std::size_t>(RequestResult::success)];
    };
    for (const auto r : {ServiceRequest::enrol, ServiceRequest::lookup, ServiceRequest::observe})
      if (done(r) == 0) return "no " + std::string{name(r)} + " is told of";
    if (server.state != event::ServerState::ready || !server.home || !server.rtt) return "the relay is no home relay";
    if (server.observed->ip != IpAddress::v4({11, 0, 1, 1})) return "another address was observed";
    wire::stun::Message question;
    question.kind = wire::stun::Class::request;
    const auto answered = [&] { return h.server.snapshot().serving->stats.of(event::StunResult::success); };
    const auto before = answered();  // clients ask it what their NATs do
    h.w.inject({IpAddress::v4({198, 51, 100, 7}), 7}, h.server, wire::stun::encode(question, wire::stun::Integrity::none, {}, wire::stun::Fingerprint::with));
    h.w.inject({IpAddress::v4({198, 51, 100, 7}), 7}, h.a, wire::stun::encode(question, wire::stun::Integrity::none, {}, wire::stun::Fingerprint::with));
    h.w.run_for(1s);
    if (answered() != before + 1) return "STUN was not answered";
    if (h.a.snapshot().serving) return "a peer serves";
    return broken_rule(h.w);
  });
}
