#include "sim/check/breakers.hpp"

#include <catch2/catch_test_macros.hpp>

#include "sim/check/tampered.hpp"
#include "sim/inflict.hpp"

using namespace pw;
using namespace pw::sim;
using event::BreakerState;

namespace {

std::unique_ptr<Checker> breakers(const World& w, const Ground&) { return std::make_unique<Breakers>(w); }

/// What is said of a peer that is dead until its breaker has opened, was probed, and of its return.
template <class Tamper>
std::string complaint(Tamper tamper) {
  TamperedPair p{breakers};
  tamper(p);
  p.run(5s);
  p.b.kill();
  p.run(std::chrono::minutes{6});
  p.b.start();
  p.run(10s);
  CHECK(p.w.verdict().empty());
  return p.tales.complaint();
}

template <class Bend>
std::string bent(Bend bend) {
  return complaint([&](TamperedPair& p) { p.bend<event::BreakerChanged>(bend); });
}

/// All changes but those that `which` names are told.
template <class Which>
std::string without(Which which) {
  return complaint([&](TamperedPair& p) {
    p.tales.on_event = [&p, which](Instant at, const Host& h, const event::Record& r) {
      const auto* e = std::get_if<event::BreakerChanged>(&r.event);
      if (!e || !which(*e)) p.tales.tell(at, h, r);
    };
  });
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// What is said of a breaker that opens by a dial of ten seconds, while a fault of the dialling machine lasted.
std::string complaint_of_fault(std::optional<FaultKind> kind, Duration lasts) {
  TamperedPair p{breakers};
  Faults faults{p.w};
  p.run(5s);
  p.tales.tell(p.w.now(), p.a, {p.w.now(), event::DialStarted{p.b.id(), 1, 0}});
  p.w.run_for(1s);
  if (kind) faults.inflict({.kind = *kind, .host = 0, .other = {}, .router = {}, .amount = 0, .lasts = lasts});
  p.w.run_for(9s);
  p.tales.tell(p.w.now(), p.a, {p.w.now(), event::BreakerChanged{p.b.id(), BreakerState::closed, BreakerState::open, 5, 60s}});
  return p.tales.complaint();
}

}  // namespace

TEST_CASE("breakers have nothing against a peer that dies, is probed and comes back") {
  CHECK(complaint([](TamperedPair&) {}).empty());
}

TEST_CASE("a breaker's change that is missing, doubled or bent is complained of") {
  CHECK(has(complaint([](TamperedPair& p) { p.repeat<event::BreakerChanged>(); }), "where the last one ended"));
  CHECK(has(complaint([](TamperedPair& p) { p.hide<event::BreakerChanged>(); }), "breaker is not the events'"));
  CHECK(has(bent([](auto& e) { e.opens_for = 0s; }), "for no time"));
  CHECK(has(bent([](auto& e) { e.opens_for *= 100; }), "too long"));
  CHECK(has(bent([](auto& e) { e.failures = 4; }), "before its failures"));
  CHECK(has(bent([](auto& e) {
              if (e.from == BreakerState::closed) e.to = BreakerState::half_open;
            }),
            "from closed to half_open"));
}

TEST_CASE("dials that a breaker does not allow are complained of") {
  CHECK(has(without([](const auto& e) { return e.to == BreakerState::half_open; }), "while the breaker is open"));
  CHECK(has(without([](const auto& e) { return e.from == BreakerState::half_open; }), "the breaker waits for it"));
  CHECK(has(without([](const auto& e) { return e.to == BreakerState::closed; }), "the breaker is not closed"));
  TamperedPair p{breakers};
  p.run(5s);
  p.tales.tell(p.w.now(), p.a, {p.w.now(), event::DialStarted{p.b.id(), 1, 0}});
  p.tales.tell(p.w.now(), p.a, {p.w.now(), event::BreakerChanged{p.b.id(), BreakerState::closed, BreakerState::open, 5, 60s}});
  p.tales.tell(p.w.now(), p.a, {p.w.now(), event::BreakerChanged{p.b.id(), BreakerState::open, BreakerState::half_open, 5}});
  for (const bool second : {false, true}) {
    p.tales.tell(p.w.now(), p.a, {p.w.now(), event::DialStarted{p.b.id(), 1, 0}});
    CHECK(has(p.tales.complaint(), "a second dial") == second);
  }
}

TEST_CASE("a breaker that opened without a dial, or by its own machine's fault, is complained of") {
  CHECK(has(complaint([](TamperedPair& p) { p.hide<event::DialStarted>(); }), "without a dial"));
  CHECK(complaint_of_fault(std::nullopt, {}).empty());
  CHECK(complaint_of_fault(FaultKind::frozen, 100ms).empty());
  for (const auto kind : {FaultKind::interface_down, FaultKind::stopped, FaultKind::suspended, FaultKind::frozen}) {
    INFO(name(kind));
    CHECK(has(complaint_of_fault(kind, 6s), "this node's own fault"));
  }
}
