#include <catch2/catch_test_macros.hpp>
#include <deque>

#include "base/rng.hpp"
#include "probe/echo.hpp"
#include "probe/jitter.hpp"
#include "probe/quota.hpp"
#include "probe/rtt_estimator.hpp"
#include "probe/window.hpp"

using namespace pw;
using namespace pw::probe;

namespace {
constexpr Instant kStart{std::chrono::hours{1}};
}

TEST_CASE("RTT is smoothed as RFC 9002 section 5.3 says") {
  RttEstimator rtt;
  CHECK_FALSE(rtt.smoothed());
  rtt.add(100ms);
  CHECK(rtt.smoothed() == 100ms);
  CHECK(rtt.variation() == 50ms);
  rtt.add(200ms);
  CHECK(rtt.variation() == 62500us);  // 3/4 · 50 + 1/4 · |100 − 200|
  CHECK(rtt.smoothed() == 112500us);  // 7/8 · 100 + 1/8 · 200
  CHECK(rtt.min() == 100ms);
}

TEST_CASE("jitter is RFC 3550's, whatever the two clocks say, wrapping included") {
  Jitter j;
  std::uint32_t sent = 0xffffff00;
  Instant at = kStart;
  j.add(at, sent);
  CHECK_FALSE(j.value());
  for (int i = 0; i < 100; ++i) {
    sent += 1'000'000;
    at += 1s;
    j.add(at, sent);
  }
  CHECK(j.value() == 0ms);
  j.add(at + 1s + 16ms, sent + 1'000'000);
  CHECK(j.value() == 1ms);
}

TEST_CASE("a window's sum is a naive sum over the last sixty seconds") {
  Rng rng{5};
  Window<std::uint64_t> window;
  std::deque<std::pair<Instant, std::uint64_t>> all;
  Instant now = kStart;
  for (int i = 0; i < 5000; ++i) {
    now += rng.up_to(rng.chance(0.01) ? Duration{100s} : Duration{1500ms});
    if (rng.chance(0.7)) {
      const std::uint64_t n = rng.below(1000);
      window.add(now, n);
      all.emplace_back(now, n);
    }
    const auto second = [](Instant t) { return t.time_since_epoch() / std::chrono::seconds{1}; };
    std::uint64_t expected = 0;
    for (const auto& [at, n] : all)
      if (second(at) > second(now) - 60) expected += n;
    REQUIRE(window.sum(now) == expected);
  }
}

TEST_CASE("echo requests go out at their interval, after a late turn too, and never pile up") {
  EchoProber echo{5s, kStart, 2s};
  CHECK(echo.poll(kStart));
  CHECK_FALSE(echo.poll(kStart + 1s));
  CHECK(echo.poll(kStart + 2s));
  CHECK_FALSE(echo.poll(kStart + 6s));
  CHECK(echo.poll(kStart + 7s));
  unsigned sent = 0;
  for (int i = 0; i < 60; ++i) sent += echo.poll(kStart + 10s + std::chrono::seconds{i}).has_value();
  CHECK(sent == EchoProber::kMaxPeriodic - 3);  // nobody answers: four are open, no more are sent
  echo.hasten(kStart + 70s, false);
  CHECK_FALSE(echo.poll(kStart + 75s));
  echo.hasten(kStart + 75s, true);  // the path is back: what it swallowed is not waited for
  CHECK(echo.poll(kStart + 75s));
  CHECK_FALSE(echo.poll(kStart + 90s));
}

TEST_CASE("an echo's answer is taken once; pings that nobody answers expire with their tickets") {
  EchoProber echo{5s, kStart, 2s};
  const Starvation well;
  const auto request = echo.poll(kStart);
  REQUIRE(request);
  const auto sample = echo.handle_reply(kStart + 30ms, request->sequence, well);
  REQUIRE(sample);
  CHECK(sample->rtt == 30ms);
  CHECK_FALSE(echo.handle_reply(kStart + 40ms, request->sequence, well));
  REQUIRE(echo.ping(kStart + 1s, event::Ticket{7}, 10));
  CHECK(echo.expire(kStart + 5s).empty());
  const auto late = echo.expire(kStart + 11s);
  REQUIRE(late.size() == 1);
  CHECK(late[0] == event::Ticket{7});
  for (std::uint64_t i = 0; i < EchoProber::kMaxPings; ++i) REQUIRE(echo.ping(kStart + 12s, event::Ticket{i}, 0));
  CHECK_FALSE(echo.ping(kStart + 12s, event::Ticket{99}, 0));
  CHECK(echo.abandon().size() == EchoProber::kMaxPings);
}

TEST_CASE("an echo that was out while this node was late is suspect") {
  const Instant start{1h};
  EchoProber echo{5s, start, 1s};
  Starvation starvation;
  const auto before = echo.poll(start);
  REQUIRE(before);
  starvation.mark(start + 10ms);
  const auto after = echo.poll(start + 1s);
  REQUIRE(after);
  CHECK(echo.handle_reply(start + 1001ms, before->sequence, starvation)->suspect);
  CHECK_FALSE(echo.handle_reply(start + 1001ms, after->sequence, starvation)->suspect);
}

TEST_CASE("the day's quota runs out and comes back after a day") {
  BandwidthQuota quota{100};
  CHECK(quota.left(kStart) == 100);
  quota.use(60);
  CHECK(quota.left(kStart + 1h) == 40);
  quota.use(60);
  CHECK(quota.left(kStart + 23h) == 0);
  CHECK(quota.left(kStart + 24h) == 100);
}
