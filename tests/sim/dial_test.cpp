// Dials that meet one another, go nowhere, or are too many.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"
#include "sim/service/service_host.hpp"

using namespace pw;
using namespace pw::sim;
using event::AdmissionRefusal;
using event::SessionState;

namespace {

const SocketAddress kNowhere{IpAddress::v4({10, 9, 9, 9}), 9470};

/// The lower id would win a tie; its dial goes to a name, at first that of nobody who answers.
struct Misled {
  explicit Misled(std::uint64_t seed) : w{seed}, a{w.add("a")}, b{w.add("b")} {
    w.names.known["upper.example"] = {kNowhere.ip};
    lower().membership.peers = {{upper().id(), "upper", false, {HostPort{"upper.example", 9470}}}};
    upper().membership.peers = {lower().spec()};
  }
  Host& lower() { return a.id() < b.id() ? a : b; }
  Host& upper() { return a.id() < b.id() ? b : a; }
  World w;
  Host& a;
  Host& b;
};

}  // namespace

TEST_CASE("a dial that goes nowhere holds the other side's for a second, no longer") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 100) return {};
    Misled m{seed};
    m.lower().start();
    m.w.run_for(1ms * static_cast<int>(seed));
    m.upper().start();
    if (!m.w.run_until([&] { return m.a.connected(m.b) && m.b.connected(m.a); }, 1300ms)) return "not connected";
    for (const auto& e : m.lower().all<event::DialEnded>())
      if (e.result != event::DialResult::cancelled) return "the dial that lost was not cancelled";
    return broken_rule(m.w);
  });
}

TEST_CASE("a dial that fails lets the other side's in at once") {
  World w{1};
  Host& a = w.add("a");
  Host& b = w.add("b");
  Host& stranger = w.add("stranger");
  Host& lower = a.id() < b.id() ? a : b;
  Host& upper = a.id() < b.id() ? b : a;
  lower.membership.peers = {{upper.id(), "upper", false, stranger.spec().addresses}};  // another key is there
  upper.membership.peers = {lower.spec()};
  w.both_ways(lower, stranger, {.delay = 200ms});
  w.start_all();
  CHECK(w.run_until([&] { return lower.connected(upper) && upper.connected(lower); }, 600ms));
  REQUIRE_FALSE(lower.all<event::DialEnded>().empty());
  CHECK(lower.all<event::DialEnded>()[0].result == event::DialResult::failed);
}

TEST_CASE("a stranger who answers first at one of a peer's addresses does not keep the dial from the others") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 100) return {};
    World w{seed};
    Host& a = w.add("a");
    Host& b = w.add("b");
    Host& stranger = w.add("stranger");
    a.membership.peers = {b.spec()};
    // As a private address does that two networks have, or one's own.
    for (const Host* other : {&stranger, &a})
      a.membership.peers[0].addresses.push_back(other->spec().addresses.at(0));
    std::rotate(a.membership.peers[0].addresses.begin(), a.membership.peers[0].addresses.begin() + seed % 3,
                a.membership.peers[0].addresses.end());
    b.membership.peers = {{a.id(), "a", false, {}}};
    w.both_ways(a, stranger, {.delay = 1ms});
    w.start_all();
    if (!w.run_until([&] { return a.connected(b) && b.connected(a); }, 500ms)) return "not connected";
    const auto ended = a.all<event::DialEnded>();
    if (ended.size() != 1 || ended[0].result != event::DialResult::success) return "not one dial that succeeded";
    if (a.count<event::DialStarted>() != 1) return "more than one dial";
    std::size_t wrong = 0;
    for (const auto& e : a.all<event::ConnectionFailed>())
      if (e.peer == b.id()) wrong += e.error == event::ErrorType::tls;
    if (wrong != 2) return "the strangers' answers were not told";
    w.run_for(15s);
    if (a.node().snapshot(w.now()).connections != 1) return "a connection too many";
    return broken_rule(w);
  });
}

TEST_CASE("where strangers answer at all of a peer's addresses the dial fails, once") {
  World w{1};
  Host& a = w.add("a");
  Host& b = w.add("b");
  a.membership.peers = {{b.id(), "b", false, {}}};
  for (int i = 0; i < 6; ++i)
    a.membership.peers[0].addresses.push_back(w.add("stranger " + std::to_string(i)).spec().addresses.at(0));
  w.start_all();
  REQUIRE(w.run_until([&] { return a.count<event::DialEnded>() > 0; }, 5s));
  const auto ended = a.all<event::DialEnded>();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].result == event::DialResult::failed);
  CHECK(ended[0].error == event::ErrorType::tls);
  CHECK(a.count<event::ConnectionFailed>() == 4);  // so many strangers are asked in one dial
  CHECK(broken_rule(w) == "");
}

TEST_CASE("a connection that only the lower one still holds does not keep the upper one's dial out") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 50) return {};
    Misled m{seed};
    m.w.names.known["upper.example"] = {m.upper().address().ip};
    m.upper().membership.peers = {{m.lower().id(), "lower", false, {}}};
    m.w.start_all();
    const auto up = [&] { return m.a.connected(m.b) && m.b.connected(m.a); };
    if (!m.w.run_until(up, 20s)) return "not connected";
    m.w.link(m.a, m.b).up = m.w.link(m.b, m.a).up = false;
    m.upper().command(event::Disconnect{m.lower().id()});  // unheard
    m.w.run_for(3s);
    m.upper().membership.peers = {m.lower().spec()};
    m.upper().configure();
    m.w.link(m.a, m.b).up = m.w.link(m.b, m.a).up = true;
    m.upper().command(event::Connect{m.lower().id(), {}});
    if (!m.w.run_until(up, 5s)) return "the old connection kept the new one out";
    m.w.run_for(10s);
    if (!up()) return "it did not last";
    if (m.upper().node().snapshot(m.w.now()).connections != 1) return "a connection too many";
    return broken_rule(m.w);
  });
}

TEST_CASE("a visitor that falls silent before its proof costs five seconds, and is dialled afterwards") {
  Misled m{1};
  for (Host* h : {&m.a, &m.b}) {
    h->membership.admission = peer::AdmissionMode::secret;
    h->membership.secrets = {Buffer(32, 1)};
  }
  m.lower().start();
  m.w.run_for(100ms);
  // In upper's place one that has its key, and never says a word.
  ServiceHost visitor{m.upper().machine(), 1};
  visitor.identity = identity_of(m.upper().key());
  visitor.start();
  visitor.act([&](Instant now) {
    const PathAddress there{{}, m.lower().address()};
    CHECK(visitor.endpoint->dial(now, {&there, 1}, m.lower().id()));
  });
  REQUIRE(m.w.run_until(
      [&] {
        const auto s = m.lower().node().snapshot(m.w.now());
        return s.connections == 2 && s.half_open == 0;
      },
      1s));
  visitor.kill();
  m.w.run_for(4900ms);
  CHECK(m.lower().count<event::AdmissionRefused>() == 0);
  m.w.run_for(200ms);
  REQUIRE(m.lower().count<event::AdmissionRefused>() == 1);
  CHECK(m.lower().all<event::AdmissionRefused>()[0].reason == AdmissionRefusal::no_proof);
  m.w.names.known["upper.example"] = {m.upper().address().ip};
  m.upper().membership.peers.clear();  // it waits to be dialled
  m.upper().start();
  CHECK(m.w.run_until([&] { return m.a.connected(m.b) && m.b.connected(m.a); }, 60s));
  CHECK(broken_rule(m.w) == "");
}

TEST_CASE("a thousand peers are not dialled in one burst, and all of them in time") {
  World w{1};
  Host& a = w.add("a");
  for (std::uint16_t i = 0; i < 1000; ++i) {
    std::array<std::uint8_t, 32> key{};
    key[0] = static_cast<std::uint8_t>(i);
    key[1] = static_cast<std::uint8_t>(i >> 8);
    key[2] = 1;
    a.membership.peers.push_back({PeerId{key}, {}, false, {HostPort{kNowhere.ip.to_string(), kNowhere.port}}});
  }
  a.start();
  w.run_for(100ms);
  CHECK(a.count<event::DialStarted>() <= 75);
  CHECK(a.count<event::DialStarted>() >= 40);
  w.run_for(15s);
  CHECK(a.count<event::DialStarted>() >= 1000);
}
