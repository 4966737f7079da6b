// A peer that dies, restarts, leaves or is cut off: seen in time, named rightly, found again.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;
using event::CloseReason;
using event::PathHealth;
using event::SessionState;

namespace {

struct Pair {
  explicit Pair(std::uint64_t seed, double loss = 0) : w{seed}, a{w.add("a")}, b{w.add("b")} {
    w.default_link.loss = loss;
    w.default_link.delay = Duration{std::chrono::milliseconds{1 + seed % 60}};
    w.introduce_all();
    w.start_all();
  }
  bool up() { return a.connected(b) && b.connected(a); }
  bool bring_up() {
    return w.run_until([this] { return up(); }, 60s);
  }

  World w;
  Host& a;
  Host& b;
};

std::optional<Instant> when(const Host& host, PathHealth to, Instant after) {
  for (const auto& r : host.events)
    if (const auto* e = std::get_if<event::PathHealthChanged>(&r.event); e && e->to == to && r.at >= after) return r.at;
  return std::nullopt;
}

}  // namespace

TEST_CASE("a killed peer is suspect after one missed probe and its path dead within five seconds") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Pair p{seed};
    if (!p.bring_up()) return "not connected";
    p.w.run_for(3s + Duration{std::chrono::milliseconds{seed % 1000}});
    const Instant killed = p.w.now();
    p.b.kill();
    p.w.run_for(6s);
    const auto suspect = when(p.a, PathHealth::suspect, killed);
    const auto dead = when(p.a, PathHealth::dead, killed);
    if (!suspect || *suspect - killed > 1500ms) return "not suspected after one probe";
    if (!dead || *dead - killed > 5s) return "not dead within 5 s";
    if (p.a.peer(p.b).path != event::PathKind::none) return "a dead path is told as in use";
    if (p.a.state(p.b) != SessionState::connected) return "the session ended before its 30 s";
    p.w.run_for(30s);
    if (p.a.connected(p.b)) return "the session outlived its 30 s";
    const auto ended = p.a.all<event::SessionEnded>();
    if (ended.size() != 1 || ended[0].reason != CloseReason::timeout) return "not ended by time-out";
    return broken_rule(p.w);
  });
}

TEST_CASE("a restarted peer is found again at once, as a new instance") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Pair p{seed};
    if (!p.bring_up()) return "not connected";
    p.w.run_for(2s);
    p.b.kill();
    p.w.run_for(Duration{std::chrono::milliseconds{seed % 20'000}});
    p.b.start();
    const Instant back = p.w.now();
    // The first packet of the old session is answered by a reset, or the new instance dials: whichever comes first.
    if (!p.w.run_until([&] { return p.up() && p.b.peer(p.a).state == SessionState::connected; }, 30s))
      return "not found again";
    p.w.run_for(10s);
    if (!p.up()) return "the new session did not last";
    bool restarted = false;
    std::optional<Instant> found;
    for (const auto& r : p.a.events)
      if (const auto* e = std::get_if<event::PeerIdentified>(&r.event); e && e->restarted)
        restarted = true, found = r.at;
    if (!restarted) return "the restart was not recognised";
    if (*found - back > 2s) return "it took " + std::to_string(to_seconds(*found - back)) + " s";
    if (p.a.count<event::DuplicateIdentity>() != 0) return "a restart taken for a duplicate";
    return broken_rule(p.w);
  });
}

TEST_CASE("a graceful end is seen as disconnecting, not as a time-out, also under loss") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Pair p{seed, seed % 3 == 0 ? 0.05 : 0};
    if (!p.bring_up()) return "not connected";
    p.w.run_for(2s);
    p.b.shutdown();
    if (!p.w.run_until([&] { return p.b.node().stopped(); }, 2500ms)) return "the shutdown did not end";
    p.b.kill();
    p.w.run_for(1s);
    const auto ended = p.a.all<event::SessionEnded>();
    if (ended.empty() || ended[0].reason != CloseReason::peer_shutdown) return "not told as the peer's shutdown";
    bool disconnecting = false;
    for (const auto& e : p.a.all<event::StateChanged>()) disconnecting |= e.to == SessionState::disconnecting;
    if (!disconnecting) return "never disconnecting";
    if (p.b.all<event::SessionEnded>().at(0).reason != CloseReason::local_shutdown)
      return "the leaver's reason is wrong";
    return broken_rule(p.w);
  });
}

TEST_CASE("both sides leaving at once do not wait for each other") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Pair p{seed};
    if (!p.bring_up()) return "not connected";
    p.w.run_for(1s);
    const Instant at = p.w.now();
    p.a.shutdown();
    p.b.shutdown();
    if (!p.w.run_until([&] { return p.a.node().stopped() && p.b.node().stopped(); }, 3s)) return "not stopped";
    if (p.w.now() - at > 500ms) return "they waited for the time-out";
    return broken_rule(p.w);
  });
}

TEST_CASE("a cut link of ten seconds costs the path, not the session") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Pair p{seed};
    if (!p.bring_up()) return "not connected";
    p.w.run_for(2s);
    p.w.link(p.a, p.b).up = p.w.link(p.b, p.a).up = false;
    p.w.run_for(10s);
    if (p.a.peer(p.b).path != event::PathKind::none) return "the cut was not noticed";
    p.w.link(p.a, p.b).up = p.w.link(p.b, p.a).up = true;
    p.w.run_for(5s);
    if (p.a.peer(p.b).path == event::PathKind::none) return "the path was not found again";
    if (p.a.count<event::SessionEnded>() != 0) return "the session ended";
    std::size_t lost = 0;
    std::size_t regained = 0;
    for (const auto& e : p.a.all<event::PathChanged>())
      (e.reason == event::PathChangeReason::path_lost ? lost : regained) += 1;
    if (lost != 1 || regained != 1) return "path changes miscounted";
    return broken_rule(p.w);
  });
}

TEST_CASE("an unreachable peer is dialled with growing, jittered gaps that never pass the cap") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 100) return {};
    World w{seed};
    Host& a = w.add("a");
    Host& b = w.add("b");
    a.membership.peers = {b.spec()};
    a.options.peer.breaker_failures = 1000;  // the back-off by itself
    a.start();
    w.run_for(30min);
    const auto ended = a.all<event::DialEnded>();
    if (ended.size() < 30) return "it gave up after " + std::to_string(ended.size()) + " dials";
    Duration longest{};
    unsigned early = 0;
    for (std::size_t i = 0; i < ended.size(); ++i) {
      const Duration ceiling = std::min<Duration>(60s, 500ms * (1LL << std::min<std::size_t>(i, 20)));
      if (ended[i].retry_in > ceiling) return "a gap above its ceiling";
      if (ended[i].error != event::ErrorType::timeout) return "not a time-out";
      longest = std::max(longest, ended[i].retry_in);
      early += ended[i].retry_in < ceiling / 2;
    }
    if (longest < 30s) return "the gaps don't grow";
    if (early < ended.size() / 6 || early > ended.size() * 5 / 6) return "the gaps aren't spread over all their range";
    b.membership.peers = {{a.id(), "a", false, {}}};
    b.start();
    if (a.peer(b).failures == 0) return "failed dials are not told";
    if (!w.run_until([&] { return a.connected(b); }, 80s)) return "never found when it came";
    if (a.peer(b).failures != 0) return "failures are told of a peer that is connected";
    w.run_for(15s);
    const auto dials = a.count<event::DialStarted>();
    b.kill();
    w.run_for(2min);
    if (a.all<event::DialStarted>().at(dials).failures_before > 1)
      return "a session that lasted did not end the back-off";
    return broken_rule(w);
  });
}

TEST_CASE("two daemons with one identity are told apart, loudly, and the newer keeps the session") {
  World w{11};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.introduce_all();
  w.start_all();
  REQUIRE(w.run_until([&] { return a.connected(b) && b.connected(a); }, 20s));
  Host& twin = w.add_twin(b);
  twin.membership = b.membership;
  twin.start();
  w.run_for(30s);
  CHECK(a.count<event::DuplicateIdentity>() >= 1);
  CHECK(a.connected(b));
  CHECK(a.count<event::SessionEstablished>() <= 3);
  // The newer one goes: the older, which runs on, is not locked out for good.
  twin.shutdown();
  w.run_for(3s);
  twin.kill();
  REQUIRE(w.run_until([&] { return a.connected(b) && b.connected(a); }, 90s));
  w.run_for(30s);
  CHECK(a.connected(b));
  CHECK(b.connected(a));
}
