#include "sim/check/causes.hpp"

#include <catch2/catch_test_macros.hpp>

#include "sim/check/tampered.hpp"

using namespace pw;
using namespace pw::sim;
using event::PathHealth;
using event::PathHealthChanged;

namespace {

std::unique_ptr<Checker> causes(const World&, const Ground& g) { return std::make_unique<Causes>(g); }

void tell_health(TamperedPair& p, PathHealth from, PathHealth to) {
  p.tales.tell(p.w.now(), p.a,
               {p.w.now(), PathHealthChanged{p.b.id(), event::PathKind::direct_v4, {{}, p.b.address()}, from, to, 1s}});
}

}  // namespace

TEST_CASE("a death by the truth is no false alarm") {
  TamperedPair p{causes};
  p.run(5s);
  p.b.kill();
  p.run(60s);
  p.b.start();
  p.run(10s);
  p.w.link(p.a, p.b).up = false;
  p.run(2min);
  CHECK(p.tales.complaint().empty());
  CHECK(p.w.verdict().empty());
}

TEST_CASE("a path that is suspected although it answers is a false alarm") {
  TamperedPair p{causes};
  p.run(20s);
  p.w.run_for(500ms);
  tell_health(p, PathHealth::proved, PathHealth::suspect);
  p.run(10s);
  CHECK(p.complains_of("nothing was wrong"));
}

TEST_CASE("bulk that met a black hole explains a silence after it") {
  for (const bool bulk : {false, true}) {
    TamperedPair p{causes};
    p.run(20s);
    for (int i = 0; bulk && i < 10; ++i) p.a.command(event::Ping{p.b.id(), 2000});
    p.w.link(p.a, p.b).up = false;
    p.run(8s);
    p.w.link(p.a, p.b).up = true;
    p.run(10s);
    p.w.run_for(500ms);
    tell_health(p, PathHealth::proved, PathHealth::suspect);
    p.run(10s);
    CHECK(p.complains_of("nothing was wrong") == !bulk);
  }
}

TEST_CASE("a path that is suspected right after its proof is a false alarm") {
  TamperedPair p{causes};
  bool told = false;
  p.tales.on_event = [&](Instant at, const Host& h, const event::Record& r) {
    p.tales.tell(at, h, r);
    if (at < net::Net::kStart + 10s || !std::holds_alternative<event::ProbeMeasured>(r.event) || &h != &p.a || told) return;
    told = true;
    tell_health(p, PathHealth::proved, PathHealth::suspect);
  };
  p.run(20s);
  CHECK(p.complains_of("before its time"));
}

TEST_CASE("a path that is suspected because its own daemon was late is a false alarm") {
  for (const bool late : {false, true}) {
    TamperedPair p{causes};
    p.run(20s);
    p.w.run_for(500ms);
    if (late) p.tales.tell(p.w.now(), p.a, {p.w.now(), event::NodeLate{300ms}});
    tell_health(p, PathHealth::proved, PathHealth::suspect);
    CHECK(p.complains_of("before its time") == late);
  }
}

TEST_CASE("a path that is called dead after one silent probe is a false alarm") {
  TamperedPair p{causes};
  p.run(20s);
  p.tales.on_event = [&](Instant at, const Host& h, const event::Record& r) {
    p.tales.tell(at, h, r);
    const auto* e = std::get_if<PathHealthChanged>(&r.event);
    if (e && &h == &p.a && e->to == PathHealth::suspect) tell_health(p, PathHealth::suspect, PathHealth::dead);
  };
  p.b.kill();
  p.run(3s);
  CHECK(p.complains_of("before eight probes"));
}

TEST_CASE("a silent path that is never called dead is a missed alarm") {
  for (const bool one_way : {false, true}) {
    TamperedPair p{causes};
    p.run(20s);
    p.hide<PathHealthChanged, event::PathChanged>();
    p.w.link(p.a, p.b).up = false;
    if (!one_way) p.w.link(p.b, p.a).up = false;
    p.run(15s);
    CHECK(p.complains_of("no probe"));
  }
}

TEST_CASE("proofs that nothing on the wire can have brought do not hide a silent path") {
  TamperedPair p{causes};
  p.run(20s);
  p.hide<PathHealthChanged, event::PathChanged>();
  p.w.link(p.b, p.a).up = false;
  for (int i = 0; i < 15; ++i) {
    p.tales.tell(p.w.now(), p.a,
                 {p.w.now(), event::ProbeMeasured{p.b.id(), event::PathKind::direct_v4, 20ms, false, {{}, p.b.address()}}});
    p.run(1s);
  }
  CHECK(p.complains_of("no probe"));
}

TEST_CASE("a fault that cuts a path and is not noticed is complained of") {
  TamperedPair p{causes};
  p.run(20s);
  p.w.freeze(p.b, 100ms);  // whose proofs may be of long ago
  p.run(1s);
  p.tales.on_event = [&](Instant at, const Host& h, const event::Record& r) {
    const bool alarm =
        std::holds_alternative<PathHealthChanged>(r.event) || std::holds_alternative<event::PathChanged>(r.event);
    if (&h != &p.a || !alarm) p.tales.tell(at, h, r);
  };
  p.w.link(p.b, p.a).up = false;
  for (const bool known : {false, true}) {
    if (known) {
      Fault fault;
      fault.kind = FaultKind::one_way;
      fault.host = p.b.index();
      fault.other = p.a.index();
      fault.effect = Effect::kills_path;
      p.w.begin(fault);
    }
    for (int i = 0; i < 15; ++i) {
      p.tales.tell(p.w.now(), p.a,
                   {p.w.now(), event::ProbeMeasured{p.b.id(), event::PathKind::direct_v4, 20ms, false, {{}, p.b.address()}}});
      p.run(1s);
    }
    CHECK(p.complains_of("it did not notice: one_way") == known);
  }
}

TEST_CASE("a session that breaks while the other end holds it needs a cause") {
  using event::CloseReason;
  for (const auto reason : {CloseReason::reset, CloseReason::timeout, CloseReason::error, CloseReason::replaced,
                            CloseReason::peer_shutdown, CloseReason::protocol}) {
    TamperedPair p{causes};
    p.run(60s);
    p.tales.tell(p.w.now(), p.a, {p.w.now(), event::SessionEnded{p.b.id(), reason, 59s, {}}});
    CHECK_FALSE(p.tales.complaint().empty());
  }
}

TEST_CASE("a session with a daemon that was started anew ends by its reset, unless resets are lost") {
  for (const bool lost_silently : {false, true}) {
    TamperedPair p{causes};
    for (event::PeerSpec& spec : p.b.membership.peers) spec.addresses.clear();  // only the other side dials
    p.run(5s);
    p.b.kill();
    p.w.link(p.b, p.a).up = false;
    p.tales.hides_drops = lost_silently;
    p.b.start();
    for (int i = 0; i < 20; ++i) p.run(1s);
    CHECK(p.complains_of("it holds a session that b knows nothing of") == lost_silently);
    CHECK(p.w.verdict().empty());
  }
}

TEST_CASE("a daemon that was started anew and is refused for its former instance's session is complained of") {
  using event::SessionState;
  for (const bool dialling : {false, true}) {
    TamperedPair p{causes};
    p.run(40s);
    p.b.kill();
    // Nothing of what becomes of the former session is told, but that its path is well.
    p.tales.on_event = [&, path = p.a.peer(p.b).paths.at(0).address](Instant at, const Host& h, event::Record r) {
      auto* probe = std::get_if<event::ProbeMeasured>(&r.event);
      if (probe) probe->address = path;
      if (&h != &p.a || probe) p.tales.tell(at, h, r);
    };
    p.b.start();
    p.run(5s);
    CHECK(p.tales.complaint() == "");
    if (dialling) {
      p.tales.tell(p.w.now(), p.b, {p.w.now(), event::DialEnded{p.a.id(), event::DialResult::cancelled, {}, {}, 1s, 0s}});
      p.tales.tell(p.w.now(), p.b,
                   {p.w.now(), event::StateChanged{p.a.id(), SessionState::connecting, SessionState::failed}});
    } else {
      p.tales.tell(p.w.now(), p.b, {p.w.now(), event::SessionEnded{p.a.id(), event::CloseReason::error, 1s, {}}});
    }
    CHECK(p.complains_of("was refused for its former instance's session"));
  }
}
