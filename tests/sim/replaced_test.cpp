// A connection that takes the place of another while the session lives on, and what must not get lost in between.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

/// Both ends list each other; the one with the higher id has no address, so the session is the lower one's dial, which
/// wins any tie.
struct Pair {
  explicit Pair(std::uint64_t seed) : w{seed}, a{w.add("a")}, b{w.add("b")} {
    lower().membership.peers = {upper().spec()};
    upper().membership.peers = {{lower().id(), "lower", false, {}}};
    w.start_all();
  }
  Host& lower() { return a.id() < b.id() ? a : b; }
  Host& upper() { return a.id() < b.id() ? b : a; }
  bool up() { return a.connected(b) && b.connected(a); }
  void cut(bool yes) { w.link(a, b).up = w.link(b, a).up = !yes; }
  /// The lower one forgets its connection unheard and dials anew; the upper one still has the old one.
  void replace() {
    cut(true);
    lower().command(event::Disconnect{upper().id()});
    w.run_for(8s);
    cut(false);
    lower().command(event::Connect{upper().id(), {}});
  }
  World w;
  Host& a;
  Host& b;
};

}  // namespace

TEST_CASE("pings under way are answered when another connection takes the session over") {
  Pair p{1};
  REQUIRE(p.w.run_until([&] { return p.up(); }, 20s));
  p.w.run_for(2s);
  p.cut(true);
  p.lower().command(event::Disconnect{p.upper().id()});
  p.w.run_for(3s);
  const auto ping = p.upper().command(event::Ping{p.lower().id(), 0});
  p.cut(false);
  p.lower().command(event::Connect{p.upper().id(), {}});
  p.w.run_for(1s);
  REQUIRE(p.up());
  CHECK(p.upper().count<event::SessionEnded>() == 0);  // it was replaced below the session
  p.w.run_for(20s);
  CHECK(p.upper().answers.contains(ping));
  CHECK(p.upper().unanswered() == 0);
}

TEST_CASE("a dead path that a new connection replaces is told as found again") {
  Pair p{2};
  REQUIRE(p.w.run_until([&] { return p.up(); }, 20s));
  p.w.run_for(2s);
  p.replace();
  REQUIRE(p.w.run_until([&] { return p.up(); }, 5s));
  p.w.run_for(5s);
  auto path = event::PathKind::direct_v4;
  for (const auto& e : p.upper().all<event::PathChanged>()) {
    CHECK(e.from == path);
    path = e.to;
  }
  CHECK(p.upper().count<event::PathChanged>() == 2);
  CHECK(path == p.upper().peer(p.lower()).path);
}

TEST_CASE("a session that goes on over another connection of another family is told to have changed its path") {
  World w{5};
  const auto add = [&](const std::string& name, std::uint8_t number) -> Host& {
    net::Machine& machine = w.net.add_machine(name);
    machine.attach(w.internet, {IpAddress::v4({11, 0, 9, number}), IpAddress::parse("2001:db8::" + name).value()});
    return w.add(name, machine);
  };
  Host& a = add("a", 1);
  Host& b = add("b", 2);
  Host& lower = a.id() < b.id() ? a : b;
  Host& upper = a.id() < b.id() ? b : a;
  const auto via = [&](Family family) {
    lower.membership.peers = {upper.spec()};
    lower.membership.peers[0].addresses = {HostPort{upper.address(family).ip.to_string(), Host::kPort}};
  };
  via(Family::v6);
  w.default_link.delay = 400ms;  // so that it takes longer to call a path dead than to forget a connection
  upper.membership.peers = {{lower.id(), "lower", false, {}}};
  w.start_all();
  REQUIRE(w.run_until([&] { return a.connected(b) && b.connected(a); }, 20s));
  w.run_for(2s);
  w.link(a, b).up = w.link(b, a).up = false;
  lower.command(event::Disconnect{upper.id()});  // unheard
  w.run_for(3s);
  via(Family::v4);
  lower.configure();
  w.both_ways(a, b, {.delay = 10ms});
  lower.command(event::Connect{upper.id(), {}});
  REQUIRE(w.run_until([&] { return a.connected(b) && b.connected(a); }, 3s));
  w.run_for(1s);
  REQUIRE(upper.count<event::SessionEnded>() == 0);
  CHECK(upper.peer(lower).path == event::PathKind::direct_v4);
  const auto changes = upper.all<event::PathChanged>();
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].from == event::PathKind::direct_v6);
  CHECK(changes[0].to == event::PathKind::direct_v4);
  CHECK(changes[0].reason == event::PathChangeReason::network_change);
  CHECK(broken_rule(w) == "");
}

TEST_CASE("the time to connected is told from the first attempt since the session was last wanted") {
  Pair p{3};
  REQUIRE(p.w.run_until([&] { return p.up(); }, 20s));
  p.w.run_for(2s);
  p.replace();
  p.w.run_for(1h);
  p.upper().kill();
  p.upper().start();
  p.w.run_for(40s);
  REQUIRE(p.up());
  p.upper().shutdown();
  p.w.run_for(3s);
  p.upper().kill();
  p.w.run_for(10min);
  p.lower().command(event::Disconnect{p.upper().id()});
  p.w.run_for(1h);
  p.upper().start();
  p.lower().command(event::Connect{p.upper().id(), {}});
  p.w.run_for(10s);
  REQUIRE(p.up());
  for (const auto* h : {&p.a, &p.b})
    for (const auto& e : h->all<event::SessionEstablished>()) CHECK(e.since_first_attempt < 1min);
}
