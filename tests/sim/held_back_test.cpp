// Nothing of this machine's own holds probes back: what is measured, and called dead, is the path.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;

TEST_CASE("after one end did not run for a while, and packets were lost, a path that works is not called dead again") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 50) return {};
    World w{seed};
    w.default_link.delay = 1ms;
    Host& a = w.add("a");
    Host& b = w.add("b");
    w.introduce_all();
    w.start_all();
    w.run_for(20s);
    // What came meanwhile is acknowledged late: QUIC takes seconds for its RTT. Losses shrink its window.
    w.freeze(b, 6s);
    w.run_for(2s);
    w.default_link.loss = 0.4;
    w.run_for(4s);
    w.run_for(std::chrono::milliseconds{20 * seed});
    w.default_link.loss = 0;
    w.run_for(1s);
    a.events.clear();
    b.events.clear();
    w.run_for(10s);
    for (const Host* h : {&a, &b}) {
      for (const auto& e : h->all<event::PathHealthChanged>())
        if (e.to != event::PathHealth::proved) return h->name() + " blames the path for what its own QUIC held back";
      for (const auto& e : h->all<event::ProbeMeasured>())
        if (e.rtt > 3ms) return h->name() + " measures " + std::to_string(to_milliseconds(e.rtt)) + " ms over 2 ms";
    }
    return broken_rule(w);
  });
}

TEST_CASE("what congestion control holds back, probe or receipt, is no part of a round trip or of jitter") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 50) return {};
    World w{seed};
    w.default_link.delay = 20ms;
    Host& a = w.add("a");
    Host& b = w.add("b");
    w.introduce_all();
    a.membership.probe.datagram_interval = 200ms;
    w.start_all();
    w.run_for(20s);
    // Nobody acknowledges what fills the window: the probes behind it leave with a PTO, or when b is back.
    w.freeze(b, 6s + std::chrono::milliseconds{40 * seed});
    for (int i = 0; i < 15; ++i) a.command(event::Ping{b.id(), 2000});
    w.run_for(15s);
    std::size_t late = 0;
    for (const Host* h : {&a, &b}) {
      for (const auto& e : h->all<event::ProbeMeasured>()) {
        late += e.suspect;
        if (e.rtt < 40ms || e.rtt > 41ms) return h->name() + " measures " + std::to_string(to_milliseconds(e.rtt)) + " ms";
      }
    }
    if (late < 10) return "nothing waited for b";
    if (a.peer(b).jitter > 1ms) return "a's jitter has what b held";
    return broken_rule(w);
  });
}
