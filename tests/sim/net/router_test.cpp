// Routers: translation, judgement and forwarding in their order, TTL, prefixes, port mapping, reboots.
#include "sim/net/router.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "sim/net/recorder.hpp"

using namespace pw;
using namespace pw::net;

namespace {

using Strings = std::vector<std::string>;

RouterOptions nat() {
  RouterOptions o;
  o.nat.emplace();
  return o;
}
RouterOptions stateful() {
  RouterOptions o;
  o.firewall.stateful = true;
  return o;
}

/// A server in the core, a home behind a router.
struct Home {
  explicit Home(RouterOptions options, bool v6 = false) : router{net.add_router("router", std::move(options))} {
    router.attach_outer(core, {ip(v6 ? "2001:db8::1" : "192.0.2.1")});
    if (v6)
      router.attach_inner(lan, {ip("2001:db8:1::1")}, {prefix("2001:db8:1::/64")});
    else
      router.attach_inner(lan, {ip("192.168.1.1")}, options.nat ? std::vector<Prefix>{} : std::vector{prefix("192.168.1.0/24")});
    core.set_gateway(Family::v4, router.outer());  // whatever leaves towards nobody comes to it, too
  }
  Net net{1};
  Segment& core = net.add_segment("core");
  Segment& lan = net.add_segment("lan");
  Router& router;
  Log log{net};
  void run(Duration d = 100ms) { net.run_until(net.now() + d); }
};

struct HomeV4 : Home {
  explicit HomeV4(RouterOptions options) : Home{std::move(options)} {}
  Recorder server{net, core, "server", "192.0.2.9"};
  Recorder alice{net, lan, "alice", "192.168.1.2"};
  Recorder bob{net, lan, "bob", "192.168.1.3"};
};

}  // namespace

TEST_CASE("behind a NAT, the server sees the router's address, and its answer comes back") {
  HomeV4 h{nat()};
  h.server.on_arrival = [&](Instant, const Arrival& a) { h.server.send(a.path.remote, "answer"); };
  h.alice.send(h.server.address(), "question");
  h.run();
  REQUIRE(h.server.got.size() == 1);
  CHECK(h.server.got[0].from == h.router.nat()->outer_of(h.net.now(), h.alice.address(), h.server.address()));
  CHECK(h.server.got[0].from.ip == ip("192.0.2.1"));
  REQUIRE(h.alice.texts() == Strings{"answer"});
  CHECK(h.alice.got[0].from == h.server.address());
  CHECK(h.alice.got[0].to == h.alice.address());
}

TEST_CASE("nobody outside reaches an inner address past a NAT, nor a port that nothing is mapped to") {
  HomeV4 h{nat()};
  h.server.send(h.alice.address(), "by the gateway of the core");
  h.run();
  CHECK(h.log.count(Drop::no_route) == 1);
  h.server.send({ip("192.0.2.1"), 7}, "unasked");
  h.run();
  CHECK(h.log.count(Drop::no_mapping) == 1);
  CHECK(h.alice.got.empty());
}

TEST_CASE("each router lowers the TTL by one, and drops what has none left, before it forwards") {
  const bool translates = GENERATE(false, true);
  HomeV4 h{translates ? nat() : RouterOptions{}};
  h.alice.send(h.server.address(), "far enough", 2);
  h.alice.send(h.server.address(), "too near", 1);
  h.run();
  REQUIRE(h.server.texts() == Strings{"far enough"});
  CHECK(h.server.got[0].ttl == 1);
  CHECK(h.log.count(Drop::ttl) == 1);
  h.server.machine().send(Recorder::kPort, {{}, h.server.got[0].from}, as_bytes("back, too near"), 1);
  h.server.machine().send(Recorder::kPort, {{}, h.server.got[0].from}, as_bytes("back"), 2);
  h.run();
  CHECK(h.alice.texts() == Strings{"back"});
  CHECK(h.log.count(Drop::ttl) == 2);
}

TEST_CASE("a packet that dies just outside has opened the NAT's mapping all the same") {
  HomeV4 h{nat()};
  h.core.hops = 5;
  h.alice.send(h.server.address(), "short of breath", 4);
  h.run();
  CHECK(h.log.count(Drop::ttl) == 1);
  CHECK(h.server.got.empty());
  const auto outer = h.router.nat()->outer_of(h.net.now(), h.alice.address(), h.server.address());
  REQUIRE(outer);
  h.server.send(*outer, "through the hole");
  h.run();
  CHECK(h.alice.texts() == Strings{"through the hole"});
}

TEST_CASE("one that dies at the NAT itself opens nothing") {
  HomeV4 h{nat()};
  h.alice.send(h.server.address(), "x", 1);
  h.run();
  CHECK(h.router.nat()->mappings(h.net.now()) == 0);
}

TEST_CASE("every hop on the way counts: TTL at each of them") {
  // alice, two nested routers, a core of three hops, a router, the server: 2 + 3 + 1.
  Net net{1};
  Log log{net};
  Segment& core = net.add_segment("core", {}, 3);
  Segment& carrier = net.add_segment("carrier");
  Segment& lan = net.add_segment("lan");
  Segment& hosting = net.add_segment("hosting");
  Router& cgn = net.add_router("cgn", nat());
  cgn.attach_outer(core, {ip("192.0.2.1")});
  cgn.attach_inner(carrier, {ip("100.64.0.1")});
  Router& home = net.add_router("home", nat());
  home.attach_outer(carrier, {ip("100.64.0.2")});
  home.attach_inner(lan, {ip("192.168.1.1")});
  Router& edge = net.add_router("edge", {});
  edge.attach_outer(core, {ip("192.0.2.254")});
  edge.attach_inner(hosting, {ip("198.51.100.1")}, {prefix("198.51.100.0/24")});
  Recorder alice{net, lan, "alice", "192.168.1.2"};
  Recorder server{net, hosting, "server", "198.51.100.9"};
  for (std::uint8_t ttl = 1; ttl <= 10; ++ttl) alice.send(server.address(), std::to_string(ttl), ttl);
  net.run_until(net.now() + 1s);
  CHECK(server.texts() == Strings{"7", "8", "9", "10"});
  CHECK(server.got[0].ttl == 1);
  CHECK(server.got[0].from.ip == ip("192.0.2.1"));
  CHECK(log.count(Drop::ttl) == 6);
  server.send(server.got[0].from, "back through both");
  net.run_until(net.now() + 1s);
  CHECK(alice.texts() == Strings{"back through both"});
}

TEST_CASE("the firewall sees inner addresses both ways, and drops what nobody inside asked for") {
  RouterOptions o = nat();
  o.nat->filtering = Dependence::endpoint_independent;  // the NAT would let it pass
  o.firewall.stateful = true;
  HomeV4 h{o};
  Recorder stranger{h.net, h.core, "stranger", "192.0.2.8"};
  h.alice.send(h.server.address(), "x");
  h.run();
  REQUIRE(h.server.got.size() == 1);
  stranger.send(h.server.got[0].from, "unasked");
  h.run();
  CHECK(h.log.count(Drop::filtered) == 1);
  h.server.send(h.server.got[0].from, "asked");
  h.run();
  CHECK(h.alice.texts() == Strings{"asked"});
}

TEST_CASE("what the firewall blocks makes no mapping") {
  RouterOptions o = nat();
  o.firewall.udp_blocked = true;
  HomeV4 h{o};
  h.alice.send(h.server.address(), "x");
  h.run();
  CHECK(h.log.count(Drop::blocked) == 1);
  CHECK(h.router.nat()->mappings(h.net.now()) == 0);
}

TEST_CASE("a hairpin goes back inside without the firewall") {
  RouterOptions o = nat();
  o.nat->filtering = Dependence::endpoint_independent;
  o.firewall.stateful = true;
  HomeV4 h{o};
  h.alice.send(h.server.address(), "x");
  h.run();
  const SocketAddress outer_alice = h.server.got.at(0).from;
  h.bob.send(outer_alice, "round the corner");
  h.run();
  REQUIRE(h.alice.texts() == Strings{"round the corner"});
  CHECK(h.alice.got[0].from.ip == ip("192.0.2.1"));
  CHECK(h.alice.got[0].ttl == kDefaultTtl - 1);
}

TEST_CASE("a NAT without hairpin drops what is for itself from inside") {
  RouterOptions o = nat();
  o.nat->hairpin = Hairpin::none;
  HomeV4 h{o};
  h.alice.send(h.server.address(), "x");
  h.run();
  h.bob.send(h.server.got.at(0).from, "x");
  h.run();
  CHECK(h.log.count(Drop::no_hairpin) == 1);
}

TEST_CASE("IPv6 is routed to the prefix behind, and judged by its firewall") {
  const bool guarded = GENERATE(false, true);
  RouterOptions o = guarded ? stateful() : RouterOptions{};
  Home h{o, true};
  Recorder server{h.net, h.core, "server", "2001:db8::9"};
  Recorder alice{h.net, h.lan, "alice", "2001:db8:1::2"};
  server.send(alice.address(), "unasked");
  h.run();
  CHECK(alice.got.size() == (guarded ? 0 : 1));
  alice.send(server.address(), "x");
  h.run();
  REQUIRE(server.got.size() == 1);
  CHECK(server.got[0].from == alice.address());
  server.send(alice.address(), "asked");
  h.run();
  CHECK(alice.texts().back() == "asked");
}

TEST_CASE("a dual-stacked router translates IPv4 and routes IPv6") {
  Net net{1};
  Segment& core = net.add_segment("core");
  Segment& lan = net.add_segment("lan");
  Router& router = net.add_router("router", nat());
  router.attach_inner(lan, {ip("192.168.1.1"), ip("2001:db8:1::1")}, {prefix("2001:db8:1::/64")});
  router.attach_outer(core, {ip("192.0.2.1"), ip("2001:db8::1")});  // in either order
  Recorder server{net, "server"};
  server.machine().attach(core, {ip("192.0.2.9"), ip("2001:db8::9")});
  Recorder alice{net, "alice"};
  alice.machine().attach(lan, {ip("192.168.1.2"), ip("2001:db8:1::2")});
  alice.send({ip("192.0.2.9"), 7}, "4");
  alice.send({ip("2001:db8::9"), 7}, "6");
  net.run_until(net.now() + 1s);
  REQUIRE(server.texts() == Strings{"4", "6"});
  CHECK(server.got[0].from.ip == ip("192.0.2.1"));
  CHECK(server.got[1].from.ip == ip("2001:db8:1::2"));
}

TEST_CASE("between inner segments a router forwards without NAT and firewall") {
  RouterOptions o = nat();
  o.firewall.udp_blocked = true;
  HomeV4 h{o};
  Segment& guests = h.net.add_segment("guests");
  h.router.attach_inner(guests, {ip("192.168.2.1")});
  Recorder guest{h.net, guests, "guest", "192.168.2.2"};
  guest.send(h.alice.address(), "hello");
  h.run();
  REQUIRE(h.alice.texts() == Strings{"hello"});
  CHECK(h.alice.got[0].from == guest.address());
  CHECK(h.alice.got[0].ttl == kDefaultTtl - 1);
}

TEST_CASE("packets that circle between routers die of their TTL") {
  Net net{1};
  Log log{net};
  Segment& x = net.add_segment("x");
  Segment& y = net.add_segment("y");
  Router& a = net.add_router("a", {});
  Router& b = net.add_router("b", {});
  a.attach_outer(x, {ip("10.0.0.1")});
  a.attach_inner(y, {ip("10.1.0.1")});
  b.attach_outer(y, {ip("10.1.0.2")});
  b.attach_inner(x, {ip("10.0.0.2")});
  Recorder alice{net, x, "alice", "10.0.0.9"};
  alice.send({ip("203.0.113.1"), 7}, "round and round");
  net.run_until(net.now() + 1s);
  CHECK(log.count(Drop::ttl) == 1);
  CHECK(log.total() == 1);
}

TEST_CASE("the router answers for port mapping on its inner address, and on no other") {
  RouterOptions o = nat();
  o.port_mapper.nat_pmp = true;
  HomeV4 h{o};
  const std::string request(2, '\0');  // RFC 6886 section 3.2: public address request
  h.alice.send({ip("192.168.1.1"), kPortMappingPort}, request, 1);
  h.run();
  REQUIRE(h.alice.got.size() == 1);
  CHECK(h.alice.got[0].from == SocketAddress{ip("192.168.1.1"), kPortMappingPort});
  const auto& reply = h.alice.got[0].text;
  REQUIRE(reply.size() == 12);
  CHECK(reply.substr(8) == std::string("\xc0\x00\x02\x01", 4));
  h.server.send({ip("192.0.2.1"), kPortMappingPort}, request);
  h.alice.send({ip("192.168.1.1"), 53}, "a resolver?");
  h.run();
  CHECK(h.server.got.empty());
  CHECK(h.log.count(Drop::no_listener) == 1);
  CHECK(h.log.count(Drop::no_mapping) == 1);
  CHECK(h.net.packets_sent() + h.net.packets_duplicated() == h.net.packets_arrived() + h.net.packets_dropped());
}

TEST_CASE("a port mapper answers inside only, and after a reboot its epoch begins again") {
  RouterOptions o;
  o.port_mapper.nat_pmp = true;
  HomeV4 h{o};
  const std::string request(2, '\0');
  h.server.send({ip("192.0.2.1"), kPortMappingPort}, request);
  h.run(1h);
  CHECK(h.server.got.empty());
  const auto epoch = [&] {
    h.alice.send({ip("192.168.1.1"), kPortMappingPort}, request);
    h.run();
    ByteReader r{as_bytes(h.alice.got.back().text)};
    r.bytes(4);
    return r.u32();
  };
  CHECK(epoch() >= 3600);
  h.router.reboot(10s);
  h.run(15s);
  CHECK(epoch() <= 5);
}

TEST_CASE("without a port mapper a request is dropped as to a closed port") {
  HomeV4 h{nat()};
  h.alice.send({ip("192.168.1.1"), kPortMappingPort}, std::string(2, '\0'));
  h.run();
  CHECK(h.alice.got.empty());
  CHECK(h.log.count(Drop::no_listener) == 1);
}

TEST_CASE("a router that reboots drops everything meanwhile, and has forgotten its mappings and flows") {
  RouterOptions o = nat();
  o.firewall.stateful = true;
  HomeV4 h{o};
  h.alice.send(h.server.address(), "x");
  h.run();
  const SocketAddress outer = h.server.got.at(0).from;
  h.router.reboot(30s);
  CHECK(h.router.nat()->mappings(h.net.now()) == 0);
  CHECK(h.router.firewall().flows(h.net.now()) == 0);
  h.run(29s);
  h.alice.send(h.server.address(), "into the void");
  h.server.send(outer, "into the void");
  h.run();
  CHECK(h.log.count(Drop::no_route) == 2);
  h.run(1s);
  h.server.send(outer, "to a mapping of before");
  h.run();
  CHECK(h.log.count(Drop::no_mapping) == 1);
  h.alice.send(h.server.address(), "again");
  h.run();
  CHECK(h.server.texts() == Strings{"x", "again"});
}

TEST_CASE("with a new public address, old mappings are gone and new ones have it; IPv6 stays as listed") {
  HomeV4 h{nat()};
  h.alice.send(h.server.address(), "x");
  h.run();
  const SocketAddress before = h.server.got.at(0).from;
  h.router.change_addresses({ip("192.0.2.77"), ip("2001:db8::77")});
  CHECK(h.router.outer().has(ip("2001:db8::77")));
  h.server.send(before, "to the old address");
  h.run();
  CHECK(h.log.count(Drop::no_route) == 1);
  h.alice.send(h.server.address(), "y");
  h.run();
  REQUIRE(h.server.got.size() == 2);
  CHECK(h.server.got[1].from.ip == ip("192.0.2.77"));
  // Only IPv6 changes: what is mapped stays.
  h.router.change_addresses({ip("192.0.2.77")});
  CHECK(h.router.nat()->mappings(h.net.now()) == 1);
  CHECK(!h.router.outer().has(ip("2001:db8::77")));
}
