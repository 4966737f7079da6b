// Who belongs changes while sessions live: reloads, an operator's word, rotated secrets, visitors that come and go.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;
using event::AdmissionRefusal;
using event::CommandError;
using event::SessionState;

namespace {

/// Only `a` has an address to dial; `b` waits.
struct OneWay {
  explicit OneWay(std::uint64_t seed = 1) : w{seed}, a{w.add("a")}, b{w.add("b")} {
    a.membership.peers = {b.spec()};
    b.membership.peers = {{a.id(), "a", false, {}}};
  }
  bool up() { return a.connected(b) && b.connected(a); }
  bool bring_up() {
    w.start_all();
    return w.run_until([this] { return up(); }, 20s);
  }
  World w;
  Host& a;
  Host& b;
};

/// A mesh by secret, in which `host` lists nobody and two visitors dial it.
struct Visited {
  Visited() : host{w.add("host")}, one{w.add("one")}, two{w.add("two")} {
    for (Host* h : {&host, &one, &two}) {
      h->membership.admission = peer::AdmissionMode::secret;
      h->membership.secrets = {Buffer(32, 1)};
    }
    one.membership.peers = two.membership.peers = {host.spec()};
  }
  World w{3};
  Host& host;
  Host& one;
  Host& two;
};

}  // namespace

TEST_CASE("a peer that is listed again while its goodbye is still under way is dialled again") {
  OneWay p;
  REQUIRE(p.bring_up());
  p.a.membership.peers.clear();
  p.a.configure();
  p.w.run_for(1ms);
  p.a.membership.peers = {p.b.spec()};
  p.a.configure();
  CHECK(p.w.run_until([&] { return p.up(); }, 10s));
  CHECK(broken_rule(p.w) == "");
}

TEST_CASE("a peer whose addresses are taken away is not dialled to nowhere") {
  OneWay p;
  p.a.start();
  REQUIRE(p.w.run_until([&] { return p.a.count<event::DialEnded>() == 4; }, 60s));
  p.a.membership.peers = {{p.b.id(), "b", false, {}}};
  p.a.configure();
  const auto dials = p.a.count<event::DialStarted>();
  p.w.run_for(5min);
  CHECK(p.a.count<event::DialStarted>() == dials);
  for (const auto& e : p.a.all<event::DialEnded>()) CHECK(e.error != event::ErrorType::dns);
}

TEST_CASE("a reload during shutdown does not keep the daemon from stopping") {
  OneWay p;
  Host& late = p.w.add("late");  // a dial to it would last ten seconds
  REQUIRE(p.bring_up());
  late.kill();
  p.a.shutdown();
  p.a.membership.peers.push_back(late.spec());
  p.a.configure();
  CHECK(p.w.run_until([&] { return p.a.node().stopped(); }, 2s));
}

TEST_CASE("an operator can't connect to a denied peer") {
  OneWay p;
  p.a.membership.peers.clear();
  p.a.membership.deny = {p.b.id()};
  p.w.start_all();
  const auto ticket = p.a.command(event::Connect{p.b.id(), p.b.spec().addresses});
  p.w.run_for(5s);
  CHECK_FALSE(p.a.connected(p.b));
  REQUIRE(p.a.answers.contains(ticket));
  REQUIRE_FALSE(p.a.answers.at(ticket));
  CHECK(p.a.answers.at(ticket).error().code == CommandError::refused);
}

TEST_CASE("a secret that is withdrawn between a proof and its Hello admits nobody") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 100) return {};
    OneWay p{seed};
    for (Host* h : {&p.a, &p.b}) {
      h->membership.admission = peer::AdmissionMode::secret;
      h->membership.secrets = {Buffer(32, 1)};
    }
    p.w.start_all();
    p.w.run_for(Duration{std::chrono::milliseconds{seed}});
    p.b.membership.secrets = {Buffer(32, 2)};
    p.b.configure();
    p.w.run_for(5s);
    if (p.a.connected(p.b) || p.b.connected(p.a)) return "a session outlived its secret";
    return broken_rule(p.w);
  });
}

TEST_CASE("sessions of another mesh end when the mesh is renamed, and come back when both have the name") {
  OneWay p;
  REQUIRE(p.bring_up());
  p.a.membership.mesh = "other";
  p.a.configure();
  p.w.run_for(5s);
  CHECK_FALSE(p.a.connected(p.b));
  p.b.membership.mesh = "other";
  p.b.configure();
  CHECK(p.w.run_until([&] { return p.up(); }, 80s));
}

TEST_CASE("a visitor that an operator disconnected stays away, longer than visitors are remembered") {
  Visited v;
  v.w.start_all();
  REQUIRE(v.w.run_until([&] { return v.host.connected(v.one); }, 20s));
  v.host.command(event::Disconnect{v.one.id()});
  v.w.run_for(30min);
  CHECK_FALSE(v.host.connected(v.one));
  CHECK(v.host.connected(v.two));
  v.host.command(event::Connect{v.one.id(), {}});
  // Nobody here knows where it is, and it was refused for so long that it asks once in ten minutes.
  CHECK(v.w.run_until([&] { return v.host.connected(v.one); }, 11min));
}

TEST_CASE("a visitor that comes back finds the session limit in force") {
  Visited v;
  v.host.membership.max_sessions = 1;
  v.host.start();
  v.one.start();
  REQUIRE(v.w.run_until([&] { return v.host.connected(v.one); }, 20s));
  v.one.kill();
  REQUIRE(v.w.run_until([&] { return !v.host.connected(v.one); }, 60s));
  v.two.start();
  REQUIRE(v.w.run_until([&] { return v.host.connected(v.two); }, 20s));
  v.one.start();
  v.w.run_for(20s);
  CHECK_FALSE(v.host.connected(v.one));
  REQUIRE_FALSE(v.one.all<event::AdmissionRefused>().empty());
  CHECK(v.one.all<event::AdmissionRefused>()[0].reason == AdmissionRefusal::session_limit);
}

TEST_CASE("a known visitor gets addresses when an operator names them") {
  Visited v;
  v.host.start();
  v.one.start();
  REQUIRE(v.w.run_until([&] { return v.host.connected(v.one); }, 20s));
  v.one.membership.peers.clear();  // from now on it waits to be dialled
  v.one.kill();
  REQUIRE(v.w.run_until([&] { return !v.host.connected(v.one); }, 60s));
  v.one.start();
  v.host.command(event::Connect{v.one.id(), v.one.spec().addresses});
  CHECK(v.w.run_until([&] { return v.host.connected(v.one); }, 10s));
}
