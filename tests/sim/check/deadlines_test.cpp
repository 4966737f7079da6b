#include "sim/check/deadlines.hpp"

#include <catch2/catch_test_macros.hpp>

#include "sim/check/tampered.hpp"

using namespace pw;
using namespace pw::sim;
using event::PathHealth;

namespace {

std::unique_ptr<Checker> deadlines(const World& w, const Ground& g) { return std::make_unique<DeadlinesKept>(w, g); }

}  // namespace

TEST_CASE("deadlines are kept in a life with a death, a freeze and a goodbye") {
  TamperedPair p{deadlines};
  p.run(5s);
  p.w.freeze(p.a, 40s);
  p.run(60s);
  p.b.kill();
  p.run(2min);
  p.b.start();
  p.run(2min);
  p.a.shutdown();
  p.run(3s);
  CHECK(p.tales.complaint().empty());
  CHECK(p.w.verdict().empty());
}

TEST_CASE("a dial that never ends is complained of") {
  TamperedPair p{deadlines};
  for (event::PeerSpec& spec : p.b.membership.peers) spec.addresses.clear();  // b never dials
  p.hide<event::DialEnded>();
  p.run(5s);
  CHECK(p.tales.complaint().empty());
  p.run(30s);
  CHECK(p.complains_of("a dial is under way"));
}

TEST_CASE("a dial has a handshake's time more for each of three strangers that answered, and not for a fourth") {
  TamperedPair p{deadlines};
  p.tales.on_event = [&](Instant at, const Host& h, const event::Record& r) {
    if (&h != &p.a || !std::holds_alternative<event::DialEnded>(r.event)) p.tales.tell(at, h, r);
  };
  p.run(15s);
  for (int strangers = 0; strangers < 4; ++strangers) {
    CHECK(p.tales.complaint().empty());
    p.tales.tell(p.w.now(), p.a, {p.w.now(), event::ConnectionFailed{p.b.id(), {}, event::ErrorType::tls, "another key"}});
    p.run(strangers < 3 ? 15s : 10s);
  }
  CHECK(p.complains_of("a dial is under way"));
}

TEST_CASE("two whose dials go on though all packets arrive are complained of, and not where some are lost") {
  for (const bool lost : {false, true}) {
    TamperedPair p{deadlines};
    p.tales.on_event = [&](Instant at, const Host& h, const event::Record& r) {
      if (!std::holds_alternative<event::DialEnded>(r.event)) p.tales.tell(at, h, r);
    };
    p.run(2s);
    CHECK(p.tales.complaint().empty());
    p.w.link(p.a, p.b).loss = lost ? 1 : 0;
    p.run(3s);
    CHECK(p.complains_of("dial each other") == !lost);
  }
}

TEST_CASE("a path that stays suspect is complained of") {
  TamperedPair p{deadlines};
  p.tales.on_event = [&](Instant at, const Host& h, const event::Record& r) {
    const auto* e = std::get_if<event::PathHealthChanged>(&r.event);
    if (!e || e->to != PathHealth::dead) p.tales.tell(at, h, r);
  };
  p.run(5s);
  p.b.kill();
  p.run(10s);
  CHECK(p.complains_of("a path is suspect"));
}

TEST_CASE("a session that outlives its paths is complained of") {
  TamperedPair p{deadlines};
  p.hide<event::StateChanged>();
  p.run(5s);
  p.b.kill();
  p.run(60s);
  CHECK(p.complains_of("no live path"));
}

TEST_CASE("disconnecting that does not end is complained of") {
  TamperedPair p{deadlines};
  p.run(5s);
  p.tales.on_event = [&](Instant at, const Host& h, const event::Record& r) {
    const auto* e = std::get_if<event::StateChanged>(&r.event);
    if (!e || e->to != event::SessionState::disconnected) p.tales.tell(at, h, r);
  };
  p.a.command(event::Disconnect{p.b.id()});
  p.run(5s);
  CHECK(p.complains_of("disconnecting"));
}

TEST_CASE("a command without an answer is complained of") {
  TamperedPair p{deadlines};
  p.run(5s);
  p.tales.keeps_answer = [](event::Ticket) { return false; };
  p.a.command(event::Ping{p.b.id()});
  p.run(9s);
  CHECK(p.tales.complaint().empty());
  p.run(3s);
  CHECK(p.complains_of("a command is unanswered"));
}

TEST_CASE("a daemon that does not stop is complained of") {
  TamperedPair p{deadlines};
  p.run(5s);
  p.tales.tell(p.w.now(), p.a, {p.w.now(), event::NodeStopping{}});  // it never heard of it
  p.run(3s);
  CHECK(p.complains_of("stopping"));
}

TEST_CASE("a dial further away than the longest back-off is complained of") {
  TamperedPair p{deadlines};
  p.a.options.peer.breaker_failures = 1000;  // while it is open that may be
  p.w.start_all();
  p.b.kill();
  p.run(5min);
  CHECK(p.tales.complaint().empty());
  p.a.options.peer.retry_max = 0s;  // the daemon has what it was started with
  for (int i = 0; i < 20 && p.tales.complaint().empty(); ++i) p.run(5s);
  CHECK(p.complains_of("further away"));
}

TEST_CASE("a next dial may be as far away as its breaker's time-out, while that is open") {
  TamperedPair p{deadlines};
  p.a.options.peer.breaker_timeout = 5min;
  p.w.start_all();
  p.b.kill();
  REQUIRE(p.w.run_until([&] { return p.a.peer(p.b).breaker.state == event::BreakerState::open; }, 5min));
  p.run(1min);
  CHECK(p.a.peer(p.b).next_dial > p.a.machine().now() + 3min);
  CHECK(p.tales.complaint().empty());
}

TEST_CASE("a next dial that nobody was told of is complained of") {
  for (const bool told : {true, false}) {
    TamperedPair p{deadlines};
    p.w.start_all();
    p.b.kill();
    if (!told) p.bend<event::DialEnded>([](auto& e) { e.retry_in = 0s; });
    for (int i = 0; i < 40; ++i) p.run(3s);
    CHECK(p.complains_of("the next dial is in") == !told);
  }
}

TEST_CASE("a dial that is overdue is complained of, unless its machine could not run") {
  for (const bool known : {false, true}) {
    TamperedPair p{deadlines};
    p.w.start_all();
    p.b.kill();
    REQUIRE(p.w.run_until([&] { return p.a.peer(p.b).next_dial > p.a.machine().now() + 1s; }, 2min));
    p.tales.hides_pauses = !known;
    p.w.freeze(p.a, 3min);
    p.run(2min);
    CHECK(p.complains_of("a dial is overdue") == !known);
  }
}

TEST_CASE("time in which a machine could not run does not count") {
  TamperedPair p{deadlines};
  p.run(5s);
  p.hide<event::DialEnded>();
  p.b.kill();
  p.a.machine().suspend(10min);
  p.run(9min);
  CHECK(p.tales.complaint().empty());
}
