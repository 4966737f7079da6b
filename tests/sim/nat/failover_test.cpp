// A direct path that dies, or lets only some packets through, costs a session round trips, not time-outs.
#include <catch2/catch_test_macros.hpp>
#include <malloc.h>

#include <cstdio>

#include "failover.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

constexpr std::array kBreaks{Break::both_ways, Break::forth, Break::back, Break::large};

std::string ms(Duration d) { return std::to_string(to_milliseconds(d)) + " ms"; }

/// What timers of QUIC add to a round trip.
constexpr Duration kSlack = 10ms;

/// With packets flowing.
std::string beyond_the_bars(const Failover& f, Break how) {
  if (!f.wrong.empty()) return f.wrong;
  // Where small packets pass QUIC's congestion control has its say, too: the round trip has become another.
  const Duration round_trip = how == Break::large ? 2 * f.relay_rtt : f.relay_rtt;
  for (const std::size_t end : {0U, 1U}) {
    const std::string who = end == 0 ? "a" : "b";
    if (*f.suspect[end] > 3 * f.timeout[end]) return who + " notices after " + ms(*f.suspect[end]);
    if (!f.echo[end]) return who + " has no echo any more";
    if (*f.echo[end] > f.noticed() + round_trip + kSlack)
      return who + "'s first echo comes " + ms(*f.echo[end] - f.noticed()) + " after both noticed, the relay's RTT is " + ms(f.relay_rtt);
    if (f.on_one[end] == 0) return who + " sends nothing while it doubts: the test tests nothing";
    if (f.on_both[end] < f.on_one[end]) return who + " sends pings on the path in doubt alone";
    if (f.slowest_return[end] > std::max(f.direct_rtt, f.relay_rtt) + kSlack)
      return who + " lost something on the way back: " + ms(f.slowest_return[end]);
    if (f.lost[end] != 1 || f.upgraded[end] != 1) return who + " flaps";
  }
  return {};
}

std::string tells_otherwise_than_the_wire(const Failover& f) {
  for (const std::size_t end : {0U, 1U})
    if (!f.told[end] || f.told[end] != f.seen[end])
      return (end == 0 ? "a tells " : "b tells ") + ms(f.told[end].value_or(0s)) + ", the wire " + ms(f.seen[end].value_or(0s));
  return {};
}

void print(const char* what, std::vector<double> values) {
  if (values.empty()) return;
  std::ranges::sort(values);
  const auto at = [&](double q) { return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))]; };
  std::printf("  %-44s %8.2f %8.2f %8.2f %8.2f\n", what, at(0.5), at(0.9), at(0.99), values.back());
}

void print_figures(Break how, bool traffic) {
  std::vector<double> suspect, noticed, echo, first, later, back, told;
  std::size_t wrong = 0;
  std::string first_wrong;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    const Failover f = FailingPath{seed}.run(how, traffic);
    if (!f.wrong.empty() && wrong++ == 0) first_wrong = std::to_string(seed) + ": " + f.wrong;
    if (!f.suspect[0] || !f.suspect[1]) continue;
    for (const std::size_t end : {0U, 1U}) {
      suspect.push_back(to_seconds(*f.suspect[end] - (traffic ? 0s : 1s)) / to_seconds(f.timeout[end]));
      if (f.echo[end]) echo.push_back(to_seconds(*f.echo[end] - f.noticed()) / to_seconds(f.relay_rtt));
      if (f.echo[end]) first.push_back(to_milliseconds(*f.echo[end]));
      later.push_back(to_seconds(f.slowest_later[end]) / to_seconds(f.relay_rtt));
      back.push_back(to_seconds(f.slowest_return[end]) / to_seconds(std::max(f.direct_rtt, f.relay_rtt)));
      if (f.told[end]) told.push_back(to_milliseconds(*f.told[end]));
    }
    noticed.push_back(to_milliseconds(f.noticed()));
  }
  std::printf("%s, %s: %zu wrong %s\n", traffic ? "with traffic" : "idle", std::string{name(how)}.c_str(), wrong, first_wrong.c_str());
  print(traffic ? "suspect, PTO" : "suspect less a second, PTO", suspect);
  print("both have noticed, ms", noticed);
  print("first echo since, relay RTT", echo);
  print("first echo since the break, ms", first);
  print("slowest echo asked since, relay RTT", later);
  print("slowest echo once it is whole, RTT", back);
  print("p2p_path_failover_seconds, ms", told);
}

}  // namespace

TEST_CASE("with packets flowing a broken direct path costs three time-outs and a round trip of the relay, and no packet from then on") {
  for_every_seed([](std::uint64_t seed) {
    const Break how = kBreaks[seed % kBreaks.size()];
    return beyond_the_bars(FailingPath{seed}.run(how, true), how);
  });
}

TEST_CASE("an idle session notices within an interval and three time-outs, and tells of its failover what the wire shows") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    const Failover f = FailingPath{seed}.run(kBreaks[seed % 3], false);
    if (!f.wrong.empty()) return f.wrong;
    for (const std::size_t end : {0U, 1U})
      if (*f.suspect[end] > 1s + 3 * f.timeout[end]) return "it is noticed after " + ms(*f.suspect[end]);
    return tells_otherwise_than_the_wire(f);
  });
}

TEST_CASE("figures of failover", "[.figures]") {
  std::printf("%-46s %8s %8s %8s %8s\n", "", "median", "90 %", "99 %", "most");
  for (const bool traffic : {true, false})
    for (const Break how : kBreaks)
      if (traffic || how != Break::large) print_figures(how, traffic);
}

namespace {

double heap_in_use() { return static_cast<double>(mallinfo2().uordblks) / 1024; }  // kB

/// PEERWATCH_SWITCHES in the environment: ten thousand take minutes.
std::size_t switches() {
  const char* text = std::getenv("PEERWATCH_SWITCHES");
  const int n = text ? std::atoi(text) : 0;
  return n > 0 ? static_cast<std::size_t>(n) : 200;
}

}  // namespace

TEST_CASE("switches to the relay and back, ten thousand if asked for, leave nothing behind and no end flaps") {
  FailingPath p{1, World::Rules::none};
  REQUIRE(p.begin());
  World& w = p.h.w;
  const auto cut = [&](bool up) { w.link(*p.h.a, *p.h.b).up = w.link(*p.h.b, *p.h.a).up = up; };
  const auto moved = [](const Host& host) { return host.count<event::PathChanged>(); };
  constexpr std::size_t kWarm = 20;  // rounds until every table has its size
  double heap = 0;
  std::uint64_t packets = 0;
  const std::size_t rounds = switches() / 2;
  REQUIRE(rounds > 2 * kWarm);
  for (std::size_t round = 0; round < rounds; ++round) {
    for (Host* host : {p.h.a, p.h.b}) host->events.clear();
    const std::uint64_t sent = w.net.packets_sent();
    cut(false);
    REQUIRE(w.run_until([&] { return p.h.relayed(); }, 5s));
    w.run_for(1s);
    cut(true);
    REQUIRE(w.run_until([&] { return p.h.direct(); }, 120s));
    w.run_for(10s);
    INFO("round " << round);
    for (const Host* host : {p.h.a, p.h.b}) {
      REQUIRE(moved(*host) == 2);
      REQUIRE(host->count<event::SessionEnded>() == 0);
      REQUIRE(host->snapshot().peers.at(0).paths.size() == 2);
    }
    if (round == kWarm) {
      heap = heap_in_use();
      packets = w.net.packets_sent() - sent;
    }
    REQUIRE((round <= kWarm || w.net.packets_sent() - sent < packets + packets / 5));
  }
  const double grown = heap_in_use() - heap;
  std::printf("%zu switches: heap %.0f kB, %+.1f kB since the first %zu; %llu packets a round\n", 2 * rounds, heap, grown,
              2 * kWarm, static_cast<unsigned long long>(packets));
  CHECK(grown < 64);
}
