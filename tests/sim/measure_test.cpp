// What is measured is what the simulated network did.
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;
using event::ProbeDirection;

namespace {

struct Losses {
  double expected = 0;
  double lost = 0;
};

Losses losses(const Host& host, ProbeDirection direction) {
  Losses sum;
  for (const auto& e : host.all<event::ProbesAccounted>())
    if (e.direction == direction) sum.expected += e.expected, sum.lost += e.lost;
  return sum;
}

/// Within five standard deviations of a binomial.
bool plausible(const Losses& l, double p) {
  return std::abs(l.lost - l.expected * p) <= 5 * std::sqrt(l.expected * p * (1 - p)) + 1;
}

}  // namespace

TEST_CASE("round-trip times are the link's to the microsecond") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 100) return {};
    World w{seed};
    const Duration delay{std::chrono::microseconds{200 + 997 * (seed % 50)}};
    w.default_link.delay = delay;
    Host& a = w.add("a");
    Host& b = w.add("b");
    w.introduce_all();
    w.start_all();
    w.run_for(30s);
    const auto probes = a.all<event::ProbeMeasured>();
    if (probes.size() < 25) return "too few probes";
    for (const auto& e : probes)
      if (e.rtt < 2 * delay || e.rtt > 2 * delay + 1us)
        return "a probe took " + std::to_string(e.rtt.count()) + " ns over a link of " +
               std::to_string(2 * delay.count());
    const auto echoes = a.all<event::EchoMeasured>();
    if (echoes.size() < 5) return "too few echoes";
    for (const auto& e : echoes)
      if (e.rtt < 2 * delay || e.rtt > 2 * delay + 2ms)
        return "an echo took " + std::to_string(e.rtt.count()) + " ns over a link of " +
               std::to_string(2 * delay.count());
    if (a.peer(b).paths.at(0).rtt_min < 2 * delay) return "the snapshot tells another RTT";
    return {};
  });
}

TEST_CASE("loss is told per direction and matches what the links dropped") {
  World w{9};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.introduce_all();
  a.membership.probe.datagram_interval = b.membership.probe.datagram_interval = 100ms;
  w.link(a, b).loss = 0.10;
  w.link(b, a).loss = 0.02;
  w.start_all();
  w.run_for(20min);
  const Losses there = losses(a, ProbeDirection::forward);
  const Losses back = losses(a, ProbeDirection::back);
  INFO("there " << there.lost << "/" << there.expected << ", back " << back.lost << "/" << back.expected);
  REQUIRE(there.expected > 5000);
  CHECK(plausible(there, 0.10));
  CHECK(plausible(back, 0.02));
  CHECK(plausible(losses(b, ProbeDirection::forward), 0.02));
  CHECK(plausible(losses(b, ProbeDirection::back), 0.10));
}

TEST_CASE("no loss is told where nothing is lost, jitter and reordering or not") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 50) return {};
    World w{seed};
    w.default_link.jitter = 40ms;
    Host& a = w.add("a");
    w.add("b");
    w.introduce_all();
    w.start_all();
    w.run_for(2min);
    if (losses(a, ProbeDirection::forward).lost + losses(a, ProbeDirection::back).lost != 0)
      return "loss out of nothing";
    if (losses(a, ProbeDirection::forward).expected < 100) return "too few probes";
    for (const auto& e : a.all<event::PathHealthChanged>())
      if (e.to == event::PathHealth::dead) return "a healthy path was called dead";
    return {};
  });
}

TEST_CASE("a probe that overtakes the Hello is not told as lost") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    World w{seed};
    w.default_link.jitter = 40ms;
    Host& a = w.add("a");
    Host& b = w.add("b");
    for (Host* h : {&a, &b}) {
      h->membership.admission = peer::AdmissionMode::secret;
      h->membership.secrets = {Buffer(32, 1)};
    }
    w.introduce_all();
    w.start_all();
    w.run_for(10s);
    for (Host* h : {&a, &b}) {
      if (losses(*h, ProbeDirection::forward).lost + losses(*h, ProbeDirection::back).lost != 0)
        return "loss out of nothing";
    }
    return {};
  });
}

TEST_CASE("jitter is nothing on a steady link and grows with the link's") {
  for (const auto jitter : {0ms, 20ms}) {
    World w{2};
    w.default_link.jitter = jitter;
    Host& a = w.add("a");
    Host& b = w.add("b");
    w.introduce_all();
    w.start_all();
    w.run_for(2min);
    const double told = to_milliseconds(a.peer(b).jitter.value());
    if (jitter == 0ms)
      CHECK(told < 0.01);
    else
      CHECK(told == Catch::Approx(20.0 / 3).epsilon(0.4));  // the mean difference of two uniform draws is a third
  }
}

TEST_CASE("at twenty percent loss each way a path is called dead less than once in fifty minutes") {
  unsigned false_alarms = 0;
  unsigned runs = 0;
  for_every_seed([&](std::uint64_t seed) -> std::string {
    if (seed > 300) return {};
    World w{seed};
    w.default_link.loss = 0.2;
    Host& a = w.add("a");
    Host& b = w.add("b");
    w.introduce_all();
    w.start_all();
    w.run_for(60s);
    ++runs;
    for (const auto& e : a.all<event::PathHealthChanged>()) false_alarms += e.to == event::PathHealth::dead;
    (void)b;
    return {};
  });
  INFO(false_alarms << " false alarms in " << runs << " minutes");
  CHECK(false_alarms <= 1 + runs / 50);
}

TEST_CASE("a ping on demand is answered once, with the link's RTT; to nobody it fails in words") {
  World w{5};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.introduce_all();
  w.start_all();
  const auto early = a.command(event::Ping{b.id(), 0});
  REQUIRE(a.answers.contains(early));
  CHECK(a.answers.at(early).error().code == event::CommandError::not_connected);
  w.run_for(2s);
  const auto ticket = a.command(event::Ping{b.id(), 1000});
  w.run_for(100ms);
  REQUIRE(a.answers.contains(ticket));
  const auto answer = std::get<event::PingAnswer>(*a.answers.at(ticket));
  CHECK(answer.rtt >= 20ms);
  CHECK(answer.rtt < 25ms);
  const auto big = a.command(event::Ping{b.id(), 100'000});
  CHECK(a.answers.at(big).error().code == event::CommandError::invalid);
  b.kill();
  const auto lost = a.command(event::Ping{b.id(), 0});
  w.run_for(60s);
  REQUIRE(a.answers.contains(lost));
  CHECK_FALSE(a.answers.at(lost));
}

TEST_CASE("an active bandwidth measurement keeps its caps, ends in time, and tells both directions") {
  World w{6};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.introduce_all();
  w.start_all();
  w.run_for(2s);
  const auto ticket = a.command(event::MeasureBandwidth{b.id(), 2 << 20, 5s});
  const auto second = a.command(event::MeasureBandwidth{b.id(), 2 << 20, 5s});
  CHECK(a.answers.at(second).error().code == event::CommandError::busy);
  w.run_for(20s);
  REQUIRE(a.answers.contains(ticket));
  REQUIRE(a.answers.at(ticket));
  const auto answer = std::get<event::BandwidthAnswer>(*a.answers.at(ticket));
  CHECK(answer.bytes_outbound <= 2 << 20);
  CHECK(answer.bytes_outbound > 1 << 20);
  CHECK(answer.bytes_inbound > 1 << 20);
  CHECK(answer.outbound > 100e3);
  CHECK(a.count<event::BandwidthMeasured>() == 2);
  CHECK(b.count<event::BandwidthMeasured>() == 2);
  CHECK(a.peer(b).estimate_outbound.has_value());
  CHECK(w.host(1).peer(a).estimate_inbound.has_value());
  CHECK(a.connected(b));
}

TEST_CASE("a path that carries a few kilobytes a second is measured too, again and again") {
  // Worlds 1 to 30, none chosen. Losses at the very end may take longer than a measurement waits: that is said as a
  // time-out, and happened to 2 of these 360 when it was counted; one in twenty would be another thing.
  constexpr std::size_t kWorlds = 30;
  constexpr std::size_t kMeasurements = 12;
  std::size_t late = 0;
  for (std::uint64_t seed = 1; seed <= kWorlds; ++seed) {
    World w{seed};
    Host& a = w.add("a");
    Host& b = w.add("b");
    w.introduce_all();
    w.start_all();
    w.run_for(2s);
    w.default_link.loss = 0.05;
    w.default_link.delay = 150ms;
    w.both_ways(a, b, w.default_link);
    for (std::size_t i = 0; i < kMeasurements; ++i) {
      const auto ticket = a.command(event::MeasureBandwidth{b.id(), 4 << 20, 2s});
      w.run_for(25s);
      INFO("world " << seed << ", measurement " << i);
      REQUIRE(a.answers.contains(ticket));
      const event::Answer& answer = a.answers.at(ticket);
      if (!answer) {
        CHECK(answer.error().code == event::CommandError::timeout);
        ++late;
        continue;
      }
      const auto rates = std::get<event::BandwidthAnswer>(*answer);
      CHECK(rates.outbound > 100);
      CHECK(rates.outbound < 1e6);
      CHECK(rates.inbound > 100);
      CHECK(rates.inbound < 1e6);
    }
  }
  INFO("of " << kWorlds * kMeasurements << " measurements " << late << " took too long");
  CHECK(late * 20 < kWorlds * kMeasurements);
}

TEST_CASE("the day's bytes for bandwidth measurements are a cap") {
  World w{7};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.introduce_all();
  a.membership.probe.bandwidth_max_bytes_per_day = 1 << 20;
  w.start_all();
  w.run_for(2s);
  const auto first = a.command(event::MeasureBandwidth{b.id(), 4 << 20, 5s});
  w.run_for(20s);
  const auto second = a.command(event::MeasureBandwidth{b.id(), 4 << 20, 5s});
  w.run_for(20s);
  CHECK(a.answers.contains(first));
  CHECK(a.answers.at(second).error().code == event::CommandError::quota);
  std::uint64_t bytes = 0;
  for (const auto& e : a.all<event::BandwidthMeasured>()) bytes += e.bytes;
  CHECK(bytes <= 1 << 20);
}

TEST_CASE("the peer's cap counts too, for what it receives and for what it sends") {
  World w{7};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.introduce_all();
  b.membership.probe.bandwidth_max_bytes_per_day = 1 << 20;
  w.start_all();
  w.run_for(2s);
  const auto first = a.command(event::MeasureBandwidth{b.id(), 4 << 20, 5s});
  w.run_for(20s);
  REQUIRE(a.answers.contains(first));
  REQUIRE_FALSE(a.answers.at(first));  // there, but not back: the day's bytes went into the first half
  CHECK(a.answers.at(first).error().code == event::CommandError::refused);
  CHECK(a.answers.at(first).error().detail.find("used up") != std::string::npos);
  CHECK(a.count<event::BandwidthMeasured>() == 1);
  w.run_for(24h);
  const auto next_day = a.command(event::MeasureBandwidth{b.id(), 100'000, 5s});
  w.run_for(20s);
  REQUIRE(a.answers.contains(next_day));
  CHECK(a.answers.at(next_day));
}

TEST_CASE("samples taken while this node was late are suspect and blame nobody") {
  World w{8};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.introduce_all();
  w.start_all();
  w.run_for(10s);
  const std::size_t before = a.count<event::ProbeMeasured>();
  w.freeze(a, 3s);
  w.run_for(10s);
  CHECK(a.count<event::NodeLate>() >= 1);
  const auto probes = a.all<event::ProbeMeasured>();
  CHECK(probes.size() > before);
  for (const auto& e : probes)
    if (!e.suspect) CHECK(e.rtt < 30ms);
  for (const auto& e : a.all<event::EchoMeasured>())
    if (!e.suspect) CHECK(e.rtt < 30ms);
  CHECK(a.count<event::PathHealthChanged>() == 0);  // what was due meanwhile gets its whole time again
  CHECK(losses(a, ProbeDirection::forward).lost == 0);
  CHECK(losses(a, ProbeDirection::back).lost == 0);
  CHECK(a.connected(b));
}

TEST_CASE("however seldom echoes are wanted, and silent QUIC is meanwhile, a session with a good path lasts") {
  World w{4};
  Host& a = w.add("a");
  Host& b = w.add("b");
  w.introduce_all();
  a.membership.probe.rtt_interval = b.membership.probe.rtt_interval = 10min;
  w.start_all();
  w.run_for(20min);
  CHECK(a.connected(b));
  CHECK(a.count<event::SessionEnded>() == 0);
  CHECK(broken_rule(w).empty());
}
