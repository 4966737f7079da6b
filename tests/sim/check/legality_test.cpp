#include "sim/check/legality.hpp"

#include <catch2/catch_test_macros.hpp>

#include "sim/check/tampered.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

std::unique_ptr<Checker> legality(const World&, const Ground&) { return std::make_unique<Legality>(); }

template <class Tamper>
std::string complaint(Tamper tamper) {
  TamperedPair p{legality};
  tamper(p);
  p.run(5s);
  p.b.kill();
  p.run(60s);
  CHECK(p.w.verdict().empty());
  return p.tales.complaint();
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("legality has nothing against a session's whole life") {
  CHECK(complaint([](TamperedPair&) {}).empty());
}

TEST_CASE("legality misses what is left out") {
  CHECK(has(complaint([](auto& p) { p.template hide<event::NodeStarted>(); }), "before the start"));
  CHECK(has(complaint([](auto& p) { p.template hide<event::PeerAdded>(); }), "not known"));
  CHECK(has(complaint([](auto& p) { p.template hide<event::StateChanged>(); }), "a dial while disconnected"));
  CHECK(has(complaint([](auto& p) { p.template hide<event::DialStarted>(); }), "never started"));
  CHECK(has(complaint([](auto& p) { p.template hide<event::DialEnded>(); }), "a dial goes on"));
  CHECK(has(complaint([](auto& p) { p.template hide<event::ConnectionFailed>(); }), "without an error"));
  CHECK(has(complaint([](auto& p) { p.template hide<event::SessionEstablished>(); }), "session_established is missing"));
  CHECK(has(complaint([](auto& p) { p.template hide<event::SessionEnded>(); }), "before the session"));
  CHECK(has(complaint([](auto& p) { p.template hide<event::PathChanged>(); }), "path_changed is missing"));
}

TEST_CASE("legality notices what is told twice") {
  CHECK(has(complaint([](auto& p) { p.template repeat<event::NodeStarted>(); }), "started twice"));
  CHECK(has(complaint([](auto& p) { p.template repeat<event::PeerAdded>(); }), "added twice"));
  CHECK(has(complaint([](auto& p) { p.template repeat<event::StateChanged>(); }), "where the last one ended"));
  CHECK(has(complaint([](auto& p) { p.template repeat<event::DialStarted>(); }), "two dials at once"));
  CHECK(has(complaint([](auto& p) { p.template repeat<event::DialEnded>(); }), "never started"));
  CHECK(has(complaint([](auto& p) { p.template repeat<event::SessionEstablished>(); }), "established twice"));
  CHECK(has(complaint([](auto& p) { p.template repeat<event::SessionEnded>(); }), "state_changed is missing"));
  CHECK(has(complaint([](auto& p) { p.template repeat<event::PathHealthChanged>(); }), "does not start where it was"));
  CHECK(has(complaint([](auto& p) { p.template repeat<event::ProbesAccounted>(); }), "probes"));
}

TEST_CASE("legality notices what is bent") {
  using event::PathHealth;
  CHECK(has(complaint([](auto& p) {
          p.template bend<event::ProbesAccounted>([](auto& e) { e.lost = e.expected + 1; });
        }),
        "more probes were lost than expected"));
  CHECK(has(complaint([](auto& p) {
          p.template bend<event::PathHealthChanged>([](auto& e) {
            if (e.to == PathHealth::suspect) e.to = PathHealth::dead;
          });
        }),
        "from proved to dead"));
  CHECK(has(complaint([](auto& p) { p.template bend<event::SessionEnded>([](auto& e) { e.lasted += 1h; }); }),
            "lasted longer"));
  CHECK(has(complaint([](auto& p) { p.template bend<event::DialEnded>([](auto& e) { e.took += 1h; }); }), "took longer"));
  CHECK(has(complaint([](auto& p) { p.template bend<event::EchoMeasured>([](auto& e) { e.rtt = -e.rtt; }); }),
            "less than no time"));
  CHECK(has(complaint([](auto& p) { p.template bend<event::SessionEstablished>([](auto& e) { e.dialled = !e.dialled; }); }),
            "without a dial"));
  CHECK(has(complaint([](auto& p) { p.template bend<event::PeerIdentified>([](auto& e) { e.restarted = true; }); }),
            "same instance"));
}
