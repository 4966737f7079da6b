// Circuit breakers: who is dead costs next to nothing, who comes back is found, and nobody is blamed for what went wrong here.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"
#include "sim/inflict.hpp"

using namespace pw;
using namespace pw::sim;
using event::BreakerState;

namespace {

constexpr Duration kLong = std::chrono::minutes{10};
/// Five dials of ten seconds, and what lies between them: a session that ends by silence, four waits.
constexpr Duration kOpens = std::chrono::minutes{3};

/// Everybody is connected with everybody.
struct Mesh {
  Mesh(std::uint64_t seed, std::size_t hosts) : w{seed}, faults{w} {
    for (std::size_t i = 0; i < hosts; ++i) w.add(std::string{static_cast<char>('a' + i)});
    w.introduce_all();
    w.start_all();
  }
  Host& a() { return w.host(0); }
  Host& b() { return w.host(1); }
  bool up() { return a().connected(b()) && b().connected(a()); }
  bool bring_up() {
    return w.run_until([this] { return up(); }, 60s);
  }
  BreakerState breaker() { return a().peer(b()).breaker.state; }
  bool opens() {
    return w.run_until([this] { return breaker() == BreakerState::open; }, kOpens);
  }
  Faults::Id inflict(FaultKind kind, std::size_t host, std::optional<Duration> lasts = {}) {
    return faults.inflict({.kind = kind, .host = host, .other = {}, .router = {}, .amount = 0, .lasts = lasts});
  }

  World w;
  Faults faults;
};

/// Packets from one machine to another.
class Wire : public Checker {
 public:
  Wire(const Host& from, const Host& to) : Checker{"wire"}, from_{from}, to_{to.address().ip} {}
  void sent(Instant, const net::Machine& from, const net::Packet& p) override {
    packets += &from == &from_.machine() && p.destination.ip == to_;
  }
  std::size_t packets = 0;

 private:
  const Host& from_;
  IpAddress to_;
};

std::size_t opened(const Host& host) {
  std::size_t n = 0;
  for (const auto& e : host.all<event::BreakerChanged>()) n += e.to == BreakerState::open;
  return n;
}

}  // namespace

TEST_CASE("a dead peer costs no packet while its breaker is open, and one dial when its time is over") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Mesh m{seed, 3};
    if (!m.bring_up()) return "not connected";
    Wire& wire = static_cast<Wire&>(m.w.add(std::make_unique<Wire>(m.a(), m.b())));
    m.b().kill();
    if (!m.opens()) return "its breaker stays closed";
    const Instant until = *m.a().peer(m.b()).breaker.next_attempt;
    if (until != m.a().machine().now() + 60s) return "not open for a minute";
    const std::size_t before = wire.packets;
    m.w.run_for(59s);
    if (wire.packets != before) return std::to_string(wire.packets - before) + " packets while it is open";
    m.a().events.clear();
    m.w.run_for(kLong);
    // After 60 s, then 120 s, then 240 s later.
    const auto dials = m.a().count<event::DialStarted>();
    if (dials != 3) return std::to_string(dials) + " dials in ten minutes";
    for (const auto& e : m.a().all<event::DialEnded>())
      if (e.result != event::DialResult::failed) return "the dead peer was reached";
    return broken_rule(m.w);
  });
}

TEST_CASE("a peer that comes back by itself closes its breaker at once") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Mesh m{seed, 3};
    if (!m.bring_up()) return "not connected";
    m.b().kill();
    if (!m.opens()) return "its breaker stays closed";
    m.w.run_for(Duration{std::chrono::seconds{seed % 500}});
    m.b().start();
    if (!m.w.run_until([&] { return m.up(); }, 5s)) return "not connected again";
    if (m.breaker() != BreakerState::closed) return "its breaker is not closed";
    m.w.run_for(30s);
    if (!m.up()) return "the new session did not last";
    return broken_rule(m.w);
  });
}

TEST_CASE("a peer that waits to be dialled is found by the probe") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Mesh m{seed, 3};
    if (!m.bring_up()) return "not connected";
    m.b().kill();
    if (!m.opens()) return "its breaker stays closed";
    for (event::PeerSpec& p : m.b().membership.peers) p.addresses.clear();
    m.b().start();
    const Instant until = *m.a().peer(m.b()).breaker.next_attempt;
    const Duration left = until - m.a().machine().now();
    m.w.run_for(left - 100ms);
    if (m.a().connected(m.b())) return "it was dialled before the time was over";
    if (!m.w.run_until([&] { return m.up(); }, 5s)) return "not connected again";
    if (m.breaker() != BreakerState::closed) return "its breaker is not closed";
    return broken_rule(m.w);
  });
}

TEST_CASE("who is without a network for ten minutes blames nobody") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Mesh m{seed, 3};
    if (!m.bring_up()) return "not connected";
    const auto out = m.inflict(FaultKind::interface_down, 0);
    m.w.run_for(kLong);
    if (opened(m.a()) != 0) return "a breaker opened";
    if (m.a().count<event::DialStarted>() < 10) return "nobody was dialled, which shows nothing";
    m.faults.end(out);
    // At once, or when the dial has ended that was under way.
    if (!m.w.run_until([&] { return m.up(); }, m.a().options.quic.handshake_timeout + 2s))
      return "not connected as soon as the network is back";
    return broken_rule(m.w);
  });
}

TEST_CASE("who is cut off beyond its own network, and hears nobody, blames nobody") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Mesh m{seed, 4};
    if (!m.bring_up()) return "not connected";
    m.w.run_for(10s);
    std::vector<Faults::Id> cut;
    for (const std::size_t other : {1UL, 2UL, 3UL})
      cut.push_back(m.faults.inflict(
          {.kind = FaultKind::link_down, .host = 0, .other = other, .router = {}, .amount = 0, .lasts = {}}));
    m.w.run_for(kLong);
    if (opened(m.a()) != 0) return "a breaker opened here";
    // The others have one another, and see that it is this one who is gone.
    if (m.b().peer(m.a()).breaker.state == BreakerState::closed) return "nobody else opened a breaker";
    for (const auto id : cut) m.faults.end(id);
    if (!m.w.run_until([&] { return m.up(); }, 75s)) return "not connected again";
    return broken_rule(m.w);
  });
}

TEST_CASE("who sleeps for an hour while it dials blames nobody for it") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Mesh m{seed, 3};
    if (!m.bring_up()) return "not connected";
    m.b().kill();
    // Four dials fail by themselves; the fifth is under way when the lid is closed.
    const auto failed = [&] { return m.a().peer(m.b()).breaker.failures; };
    if (!m.w.run_until([&] { return failed() == 4; }, kOpens)) return "four dials did not fail";
    const auto dials = m.a().count<event::DialStarted>();
    if (!m.w.run_until([&] { return m.a().count<event::DialStarted>() > dials; }, 60s)) return "no fifth dial";
    m.w.run_for(1s);
    m.inflict(seed % 2 == 0 ? FaultKind::suspended : FaultKind::stopped, 0, 1h);
    m.w.run_for(1h + 9500ms);
    if (opened(m.a()) != 0) return "a breaker opened by what the sleep spoiled";
    if (!m.w.run_until([&] { return opened(m.a()) == 1; }, 90s)) return "it does not open once the node is awake";
    return broken_rule(m.w);
  });
}
