// Faults of machines, routers and everybody: each does what it says, to whom it says, while it says.
#include <catch2/catch_approx.hpp>

#include "sim/trio.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

/// Two at home behind one NAT, and one outside.
struct Home {
  Home()
      : w{3},
        lan{w.net.add_segment("lan")},
        router{w.net.add_router(
            "home",
            {.nat = net::NatOptions{.ports = net::PortAllocation::sequential}, .firewall = {}, .port_mapper = {}})},
        one{w.add("one", w.net.add_machine("one"))},
        two{w.add("two", w.net.add_machine("two"))},
        outside{w.add("outside")},
        faults{w} {
    router.attach_outer(w.internet, {IpAddress::v4({11, 0, 1, 1})});
    router.attach_inner(lan, {IpAddress::v4({192, 168, 0, 1})});
    one.machine().attach(lan, {IpAddress::v4({192, 168, 0, 2})});
    two.machine().attach(lan, {IpAddress::v4({192, 168, 0, 3})});
    one.membership.peers = {outside.spec()};
    outside.membership.peers = {{one.id(), "one", false, {}}};
    w.start_all();
    REQUIRE(w.run_until([&] { return outside.connected(one); }, 20s));
    w.run_for(3s);
  }
  SocketAddress seen_from() { return outside.peer(one).paths.at(0).address.remote; }
  World w;
  net::Segment& lan;
  net::Router& router;
  Host& one;
  Host& two;
  Host& outside;
  Faults faults;
};

}  // namespace

TEST_CASE("crash: the process is gone, and another instance comes at the end") {
  Trio t;
  t.of_b(FaultKind::crash, 0, 3s);
  CHECK_FALSE(t.b.running());
  t.w.run_for(2900ms);
  CHECK_FALSE(t.b.running());
  t.w.run_for(200ms);
  REQUIRE(t.b.running());
  CHECK(t.b.generation() == 2);
  CHECK(t.w.run_until([&] { return t.all_up(); }, 30s));
}

TEST_CASE("stopped: the process is told of the gap, and what came meanwhile waits for it") {
  Trio t;
  t.of_b(FaultKind::stopped, 0, 3s);
  t.w.run_for(2900ms);
  CHECK(t.back->sent_packets() == 0);
  t.w.run_for(1100ms);
  const auto jumps = t.b.all<event::ClockJumped>();
  REQUIRE(jumps.size() == 1);
  CHECK(to_seconds(jumps[0].by) == Catch::Approx(3).margin(0.1));
  CHECK(t.there->dropped_packets() == 0);
  CHECK(t.all_up());
}

TEST_CASE("suspended: its clock stands still, what is sent to it is lost, the others hear silence") {
  Trio t;
  const Instant clock = t.b.machine().now();
  t.of_b(FaultKind::suspended, 0, 6s);
  t.w.run_for(5900ms);
  CHECK(t.b.machine().now() == clock);
  CHECK(t.back->sent_packets() == 0);
  CHECK(t.there->drops[net::Drop::machine_down] == t.there->sent_packets());
  const auto health = t.a.all<event::PathHealthChanged>();
  REQUIRE_FALSE(health.empty());
  CHECK(health.back().to == event::PathHealth::dead);
  t.w.run_for(2s);
  const auto jumps = t.b.all<event::ClockJumped>();
  REQUIRE(jumps.size() == 1);
  CHECK(to_seconds(jumps[0].by) == Catch::Approx(6).margin(0.1));
  CHECK(t.w.run_until([&] { return t.all_up(); }, 10s));
}

TEST_CASE("frozen: everything is late, and nobody says why") {
  Trio t;
  t.of_b(FaultKind::frozen, 0, 2s);
  t.w.run_for(3s);
  CHECK(t.b.count<event::ClockJumped>() == 0);
  REQUIRE(t.b.count<event::NodeLate>() >= 1);
  CHECK(to_seconds(t.b.all<event::NodeLate>()[0].lag) > 1);
  CHECK(t.there->dropped_packets() == 0);
}

TEST_CASE("slow: packets queue up in front of the process") {
  Trio t;
  const auto fault = t.of_b(FaultKind::slow, 0.02);
  for (int i = 0; i < 100; ++i) t.w.inject(t.a.address(), t.b, Buffer(100, 0xff));
  t.w.run_for(1900ms);
  CHECK(t.b.count<event::PacketRejected>() > 80);
  CHECK(t.b.count<event::PacketRejected>() < 100);
  t.faults.end(fault);
  t.w.run_for(1s);
  CHECK(t.b.machine().cost_of_arrival == Duration{});
  CHECK(t.b.count<event::NodeLate>() >= 1);
}

TEST_CASE("interface_down: nobody is heard, and nothing is lost of the topology") {
  Trio t;
  const auto fault = t.of_b(FaultKind::interface_down);
  t.w.run_for(3s);
  CHECK(t.there->arrived_packets + t.beside->arrived_packets + t.back->arrived_packets <= 3);  // those under way
  t.faults.end(fault);
  t.w.run_for(3s);
  CHECK(t.there->arrived_packets > 10);
  CHECK(t.all_up());
}

TEST_CASE("address_change: the machine has another address, and its own again at the end") {
  Trio t;
  const SocketAddress before = t.b.address();
  const auto fault = t.of_b(FaultKind::address_change);
  CHECK(t.b.address() != before);
  t.w.run_for(2s);
  CHECK(t.there->arrived_packets > 10);  // its sessions go on from there
  CHECK(t.there->dropped_packets() == 0);
  t.faults.end(fault);
  CHECK(t.b.address() == before);
  CHECK(t.w.run_until([&] { return t.all_up(); }, 90s));
}

TEST_CASE("nat_reboot: mappings are forgotten, and both who live behind it are on record") {
  Home h;
  h.one.membership.peers[0].addresses.clear();
  const SocketAddress before = h.seen_from();
  h.faults.inflict(
      {.kind = FaultKind::nat_reboot, .host = 0, .other = {}, .router = &h.router, .amount = 0, .lasts = 2s});
  CHECK(h.router.nat()->mappings(h.w.now()) == 0);
  Seen& seen = static_cast<Seen&>(h.w.add(std::make_unique<Seen>(h.one, h.outside)));
  h.w.run_for(1900ms);
  CHECK(seen.arrived_packets <= 1);
  REQUIRE(h.w.faults().size() == 2);
  CHECK(h.w.faults()[0].router == "home");
  CHECK(h.w.faults()[0].host == 0U);
  CHECK(h.w.faults()[1].host == 1U);
  CHECK_FALSE(h.w.faults()[0].end);
  h.w.run_for(3s);
  CHECK(seen.arrived_packets > 2);
  CHECK(before.ip == IpAddress::v4({11, 0, 1, 1}));
  CHECK(h.w.faults()[0].end);
}

TEST_CASE("nat_addresses: packets come from another address, and its owner gets to configure it") {
  Home h;
  int told = 0;
  h.faults.forgotten = [&](net::Router& r) { told += &r == &h.router; };
  const auto fault = h.faults.inflict(
      {.kind = FaultKind::nat_addresses, .host = 0, .other = {}, .router = &h.router, .amount = 0, .lasts = {}});
  CHECK(told == 1);
  Seen& seen = static_cast<Seen&>(h.w.add(std::make_unique<Seen>(h.one, h.outside)));
  h.w.run_for(3s);
  CHECK(seen.source.ip == IpAddress::v4({11, 0, 129, 1}));
  h.faults.end(fault);
  CHECK(told == 2);
  h.w.run_for(3s);
  CHECK(seen.source.ip == IpAddress::v4({11, 0, 1, 1}));
}

TEST_CASE("names_down: nobody finds anybody by name until it ends") {
  World w{1};
  Host& a = w.add("a");
  Host& b = w.add("b");
  Faults faults{w};
  w.names.known["b.example"] = {b.address().ip};
  a.membership.peers = {{b.id(), "b", false, {HostPort{"b.example", Host::kPort}}}};
  b.membership.peers = {{a.id(), "a", false, {}}};
  faults.inflict({.kind = FaultKind::names_down, .host = 0, .other = {}, .router = nullptr, .amount = 0, .lasts = 20s});
  w.start_all();
  w.run_for(4900ms);
  CHECK(a.count<event::DialEnded>() == 0);
  w.run_for(200ms);
  CHECK(a.count<event::DiscoveryFailed>() == 1);
  w.run_for(15s);
  CHECK_FALSE(a.connected(b));
  CHECK(w.run_until([&] { return a.connected(b); }, 30s));
}

TEST_CASE("noise: forged, repeated and bent packets come, and sessions do not mind") {
  Trio t;
  t.w.max_overheard = 64;
  t.w.run_for(1s);
  t.of_b(FaultKind::noise, 50, 10s);
  t.w.run_for(10s);
  const std::size_t rejected =
      t.a.count<event::PacketRejected>() + t.b.count<event::PacketRejected>() + t.c.count<event::PacketRejected>();
  CHECK(rejected > 50);
  t.w.run_for(2s);
  const std::size_t after = t.b.count<event::PacketRejected>();
  t.w.run_for(2s);
  CHECK(t.b.count<event::PacketRejected>() == after);
  CHECK(t.all_up());
  for (const Host* h : {&t.a, &t.b, &t.c}) CHECK(h->count<event::SessionEnded>() == 0);
  CHECK(broken_rule(t.w) == "");
}

TEST_CASE("what befell whom, from when to when, is on record") {
  Trio t;
  const Instant begin = t.w.now();
  t.faults.inflict({.kind = FaultKind::loss, .host = 0, .other = 1, .router = nullptr, .amount = 0.1, .lasts = 2s});
  t.of_b(FaultKind::frozen, 0, 1s);
  t.w.run_for(5s);
  REQUIRE(t.w.faults().size() == 2);
  const Fault& loss = t.w.faults()[0];
  CHECK(loss.start == begin);
  CHECK(loss.end == begin + 2s);
  CHECK(loss.effect == Effect::degrades);
  CHECK(loss.touches(1, 0));
  CHECK_FALSE(loss.touches(0, 2));
  CHECK(loss.active(begin + 1s));
  CHECK_FALSE(loss.active(begin + 2s));
  CHECK(loss.to_string().starts_with("loss host 0 to 1 (0.1) "));
  const Fault& frozen = t.w.faults()[1];
  CHECK(frozen.effect == Effect::kills_path);
  CHECK(frozen.touches(2, 1));
  CHECK_FALSE(frozen.touches(0, 2));
}

TEST_CASE("the end of all faults leaves the world as it was, but for sleepers, who wake in their time") {
  Trio t;
  t.pair(FaultKind::link_down);
  t.of_b(FaultKind::interface_down);
  t.faults.inflict({.kind = FaultKind::suspended, .host = 0, .other = {}, .router = nullptr, .amount = 0, .lasts = 3s});
  t.w.run_for(1s);
  t.faults.end_all();
  CHECK(t.faults.active() == 1);
  t.w.run_for(2s);
  CHECK(t.faults.active() == 0);
  CHECK_FALSE(t.a.machine().asleep());
  CHECK(t.w.run_until([&] { return t.all_up(); }, 60s));
}
