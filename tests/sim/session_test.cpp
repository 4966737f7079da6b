// Sessions come up, once, whoever dials; strangers don't get in; both ends know why.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"
#include "sim/inflict.hpp"

using namespace pw;
using namespace pw::sim;
using event::AdmissionRefusal;
using event::DialResult;
using event::SessionState;

namespace {

constexpr Duration kSoon = 20s;

bool all_connected(World& w) {
  for (std::size_t i = 0; i < w.size(); ++i)
    for (std::size_t j = 0; j < w.size(); ++j)
      if (i != j && !w.host(i).connected(w.host(j))) return false;
  return true;
}

std::size_t dials(const Host& host, DialResult result) {
  std::size_t n = 0;
  for (const auto& e : host.all<event::DialEnded>()) n += e.result == result;
  return n;
}

/// Whose session was refused by an end that went on with another.
std::string not_kept(World& w) {
  for (std::size_t i = 0; i < w.size(); ++i)
    for (const auto& e : w.host(i).all<event::SessionEnded>())
      if (e.reason == event::CloseReason::error) return w.host(i).name() + "'s session was not kept by the other end";
  return {};
}

}  // namespace

TEST_CASE("a dialled peer is connected in about two round trips") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    World w{seed};
    Host& a = w.add("a");
    Host& b = w.add("b");
    a.membership.peers = {b.spec()};
    b.membership.peers = {{a.id(), "a", false, {}}};
    b.start();
    a.start();
    if (!w.run_until([&] { return all_connected(w); }, kSoon)) return "not connected";
    const auto up = a.all<event::SessionEstablished>();
    if (up.size() != 1 || !up[0].dialled) return "the dialler's session is not its own dial";
    if (up[0].since_first_attempt > 100ms) return "it took longer than 100 ms at 20 ms of round trip";
    if (dials(a, DialResult::success) != 1 || a.count<event::DialEnded>() != 1) return "not exactly one dial succeeded";
    return broken_rule(w);
  });
}

TEST_CASE("of two simultaneous dials the lower id's is kept and the other is cancelled, never failed") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    World w{seed};
    Rng rng{seed};
    w.default_link.delay = 1ms + rng.up_to(80ms);
    w.default_link.jitter = rng.up_to(7ms);
    Host& a = w.add("a");
    Host& b = w.add("b");
    w.introduce_all();
    a.start();
    w.run_for(rng.up_to(3 * w.default_link.delay));  // the two handshakes overlap, each way
    b.start();
    if (!w.run_until([&] { return all_connected(w); }, kSoon)) return "not connected";
    w.run_for(15s);
    Host& lower = a.id() < b.id() ? a : b;
    Host& upper = a.id() < b.id() ? b : a;
    if (!all_connected(w)) return "the session did not last";
    if (dials(a, DialResult::success) + dials(b, DialResult::success) != 1) return "not exactly one dial succeeded";
    if (dials(a, DialResult::failed) + dials(b, DialResult::failed) != 0) return "a dial failed";
    if (lower.peer(upper).dialled == upper.peer(lower).dialled) return "the two ends keep different connections";
    for (Host* h : {&a, &b})
      if (h->count<event::SessionEnded>() != 0 || h->count<event::SessionEstablished>() != 1) return "a session ended";
    if (upper.count<event::ConnectionFailed>() + lower.count<event::ConnectionFailed>() != 0)
      return "a tie counted as failure";
    if (a.node().snapshot(w.now()).connections != 1 || b.node().snapshot(w.now()).connections != 1)
      return "the loser's connection was not freed";
    return broken_rule(w);
  });
}

TEST_CASE("the later of two dials that cross never wins one end only, whatever is lost") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    World w{seed};
    Rng rng{seed};
    w.default_link.delay = 1ms + rng.up_to(80ms);
    w.default_link.loss = 0.25;
    Host& a = w.add("a");
    Host& b = w.add("b");
    for (Host* h : {&a, &b}) {  // by a secret the acceptor admits a round trip later than the dialler
      h->membership.admission = peer::AdmissionMode::secret;
      h->membership.secrets = {Buffer(32, 7)};
    }
    Host& lower = a.id() < b.id() ? a : b;
    Host& upper = a.id() < b.id() ? b : a;
    lower.membership.peers = {upper.spec()};
    upper.membership.peers = {{lower.id(), "lower", false, {}}};
    upper.start();
    lower.start();
    w.run_for(w.default_link.delay + rng.up_to(2 * w.default_link.delay));
    upper.membership.peers = {lower.spec()};
    upper.configure();
    if (!w.run_until([&] { return all_connected(w); }, 60s)) return "not connected";
    w.run_for(5s);
    if (const auto wrong = not_kept(w); !wrong.empty()) return wrong;
    return broken_rule(w);
  });
}

TEST_CASE("a peer that is started anew right after it connected is not kept waiting for a tie that is none") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    World w{seed};
    Host& a = w.add("a");
    Host& b = w.add("b");
    w.introduce_all();
    for (Host* h : {&a, &b}) {
      h->membership.admission = peer::AdmissionMode::secret;
      h->membership.secrets = {Buffer(32, 7)};
    }
    w.start_all();
    if (!w.run_until([&] { return all_connected(w); }, kSoon)) return "not connected";
    w.run_for(std::chrono::milliseconds{seed % 4000});
    Host& again = a.id() < b.id() ? b : a;
    again.kill();
    w.run_for(100ms);
    again.start();
    if (!w.run_until([&] { return all_connected(w); }, 20 * w.default_link.delay)) return "it is kept waiting";
    w.run_for(5s);
    if (!all_connected(w)) return "the session did not last";
    return broken_rule(w);
  });
}

TEST_CASE("who wakes up hears within a few round trips that his peer gave the session up") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    World w{seed};
    Host& sleeper = w.add("sleeper");
    Host& host = w.add("host");
    sleeper.membership.peers = {host.spec()};
    host.membership.peers = {{sleeper.id(), "sleeper", false, {}}};
    w.start_all();
    if (!w.run_until([&] { return all_connected(w); }, kSoon)) return "not connected";
    w.run_for(std::chrono::milliseconds{seed % 5000});
    Faults faults{w};
    faults.inflict({.kind = FaultKind::suspended, .host = sleeper.index(), .other = {}, .router = nullptr, .amount = 0,
                    .lasts = 45s});
    w.run_for(45s);
    if (host.connected(sleeper)) return "the peer did not give it up";
    if (!w.run_until([&] { return sleeper.count<event::SessionEnded>() > 0; }, 8 * w.default_link.delay))
      return "the sleeper still believes in it";
    if (!w.run_until([&] { return all_connected(w); }, 5s)) return "not connected again";
    return broken_rule(w);
  });
}

TEST_CASE("sessions come up and stay at 1, 5 and 20 percent loss each way") {
  for (const double loss : {0.01, 0.05, 0.20}) {
    for_every_seed([loss](std::uint64_t seed) -> std::string {
      World w{seed};
      w.default_link.loss = loss;
      Host& a = w.add("a");
      w.add("b");
      w.introduce_all();
      w.start_all();
      if (!w.run_until([&] { return all_connected(w); }, 60s)) return "not connected";
      w.run_for(20s);
      if (!all_connected(w) && loss < 0.2) return "the session did not last";
      if (a.count<event::EchoMeasured>() == 0) return "nothing was measured";
      return broken_rule(w);
    });
  }
}

TEST_CASE("a stranger is refused, and both ends say so with the reason") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    World w{seed};
    w.default_link.loss = seed % 2 ? 0.05 : 0;
    Host& stranger = w.add("stranger");
    Host& host = w.add("host");
    stranger.membership.peers = {host.spec()};
    w.start_all();
    if (!w.run_until([&] { return stranger.count<event::AdmissionRefused>() > 0; }, kSoon)) return "never refused";
    const auto here = host.all<event::AdmissionRefused>();
    const auto there = stranger.all<event::AdmissionRefused>();
    if (here.empty() || here[0].by_peer || here[0].reason != AdmissionRefusal::not_allowlisted ||
        here[0].peer != stranger.id())
      return "the host's own word is wrong";
    if (!there[0].by_peer || there[0].reason != AdmissionRefusal::not_allowlisted)
      return "the stranger's word is wrong";
    for (const auto& e : stranger.all<event::ConnectionFailed>())
      if (e.error != event::ErrorType::admission) return "not counted as admission";
    if (stranger.count<event::SessionEstablished>() + host.count<event::SessionEstablished>() != 0) return "it got in";
    if (!host.node().snapshot(w.now()).peers.empty()) return "the host remembers a stranger";
    return broken_rule(w);
  });
}

TEST_CASE("the mesh secret admits unknown keys; a wrong one, a missing one and another mesh are refused") {
  const Buffer right(32, 7);
  const Buffer old(32, 6);
  const Buffer wrong(32, 8);
  struct Case {
    std::vector<Buffer> theirs;
    bool allowlist;
    std::string mesh;
    std::optional<AdmissionRefusal> refusal;
  };
  const std::vector<Case> cases = {{{right}, false, "default", std::nullopt},
                                   {{old}, false, "default", std::nullopt},  // rotation: the previous one still counts
                                   {{wrong}, false, "default", AdmissionRefusal::wrong_secret},
                                   {{}, true, "default", AdmissionRefusal::no_proof},
                                   {{right}, false, "other", AdmissionRefusal::wrong_mesh}};
  for (const Case& c : cases) {
    for_every_seed([&](std::uint64_t seed) -> std::string {
      if (seed > 200) return {};  // five cases
      World w{seed};
      Host& a = w.add("a");
      Host& b = w.add("b");
      a.membership = {.mesh = c.mesh,
                      .admission = c.allowlist ? peer::AdmissionMode::allowlist : peer::AdmissionMode::secret,
                      .secrets = c.theirs,
                      .deny = {},
                      .peers = {b.spec()},
                      .discovered = {},
                      .probe = {},
                      .servers = {}};
      b.membership.admission = peer::AdmissionMode::secret;
      b.membership.secrets = {right, old};
      w.start_all();
      w.run_for(8s);
      if (a.connected(b) != !c.refusal) return "connected or not, against the rule";
      if (!c.refusal) return b.connected(a) ? broken_rule(w) : "the acceptor is not connected";
      const auto refused = b.all<event::AdmissionRefused>();
      if (refused.empty() || refused[0].reason != *c.refusal) return "the reason is wrong";
      const auto told = a.all<event::AdmissionRefused>();
      if (told.empty() || !told[0].by_peer || told[0].reason != *c.refusal) return "the dialler was not told";
      return broken_rule(w);
    });
  }
}

TEST_CASE("a dialler that does not know the secret's answer is not fooled by an impostor's Hello") {
  World w{1};
  Host& a = w.add("a");
  Host& b = w.add("b");
  a.membership.admission = peer::AdmissionMode::secret;
  a.membership.secrets = {Buffer(32, 1)};
  a.membership.peers = {b.spec()};
  b.membership.peers = {{a.id(), "a", false, {}}};  // takes anybody's proof and gives none
  w.start_all();
  w.run_for(3s);
  CHECK_FALSE(a.connected(b));
  REQUIRE_FALSE(a.all<event::AdmissionRefused>().empty());
  CHECK(a.all<event::AdmissionRefused>()[0].reason == AdmissionRefusal::no_proof);
}

TEST_CASE("with an allowlist, too, a peer of another mesh is refused") {
  World w{2};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.introduce_all();
  b.membership.mesh = "other";
  w.start_all();
  w.run_for(5s);
  CHECK_FALSE(a.connected(b));
  CHECK_FALSE(b.connected(a));
  REQUIRE_FALSE(a.all<event::AdmissionRefused>().empty());
  CHECK(a.all<event::AdmissionRefused>()[0].reason == AdmissionRefusal::wrong_mesh);
}

TEST_CASE("names are looked up; one that nobody knows is a dns failure and tried again") {
  World w{3};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.names.known["b.example"] = {b.address().ip};
  a.membership.peers = {{b.id(), "b", false, {HostPort{"b.example", 9470}}}};
  b.membership.peers = {{a.id(), "a", false, {HostPort{"a.example", 9470}}}};
  w.start_all();
  REQUIRE(w.run_until([&] { return all_connected(w); }, kSoon));
  CHECK(b.count<event::DiscoveryFailed>() >= 1);
  REQUIRE_FALSE(b.all<event::DialEnded>().empty());
  CHECK(b.all<event::DialEnded>()[0].error == event::ErrorType::dns);
  CHECK(broken_rule(w).empty());
}

TEST_CASE("another key at a peer's address is a tls failure, not a session") {
  World w{4};
  Host& a = w.add("a");
  Host& b = w.add("b");
  Host& c = w.add("c");
  a.membership.peers = {{c.id(), "c", false, b.spec().addresses}};
  b.membership.peers = {{a.id(), "a", false, {}}};
  w.start_all();
  w.run_for(2s);
  REQUIRE_FALSE(a.all<event::DialEnded>().empty());
  CHECK(a.all<event::DialEnded>()[0].error == event::ErrorType::tls);
  CHECK(b.count<event::SessionEstablished>() == 0);
  REQUIRE_FALSE(b.all<event::ConnectionFailed>().empty());
  CHECK(b.all<event::ConnectionFailed>()[0].error == event::ErrorType::tls);
  CHECK(broken_rule(w).empty());
}

TEST_CASE("the same seed gives the same events twice") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 100) return {};
    const auto run = [seed] {
      World w{seed};
      w.default_link.loss = 0.05;
      w.default_link.jitter = 5ms;
      Host& a = w.add("a");
      Host& b = w.add("b");
      Host& c = w.add("c");
      w.introduce_all();
      w.start_all();
      w.run_for(5s);
      b.kill();
      w.run_for(10s);
      b.start();
      w.run_for(5s);
      return trace(a) + trace(b) + trace(c);
    };
    const std::string first = run();
    if (first != run()) return "two runs differ";
    return first.size() < 1000 ? "the runs are empty" : "";
  });
}

TEST_CASE("thirty peers are up within seconds and each pair once") {
  World w{5};
  for (int i = 0; i < 30; ++i) w.add("n" + std::to_string(i));
  w.introduce_all();
  w.start_all();
  REQUIRE(w.run_until([&] { return all_connected(w); }, 30s));
  w.run_for(30s);
  CHECK(all_connected(w));
  for (std::size_t i = 0; i < w.size(); ++i) CHECK(w.host(i).node().snapshot(w.now()).connections == 29);
  CHECK(broken_rule(w) == "");
}
