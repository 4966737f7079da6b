// The circuit breaker, step by step against a model that is too simple to be wrong in the same way.
#include "peer/breaker.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <set>
#include <vector>

#include "base/rng.hpp"

using namespace pw;
using namespace pw::peer;
using event::BreakerState;

namespace {

constexpr Instant kStart{1000s};

/// Written down as it is told to people: a list of what happened, and answers that are worked out anew each time.
struct Naive {
  explicit Naive(Breaker::Options o) : options{o} {}

  BreakerState state() const {
    if (!tripped) return BreakerState::closed;
    return probing ? BreakerState::half_open : BreakerState::open;
  }
  Instant until() const { return *std::ranges::min_element(deadlines); }
  bool allows(Instant now) const { return !tripped || (!probing && now >= until()); }
  Duration timeout(unsigned doublings) const {
    return Duration{std::llround(std::min(static_cast<double>(options.timeout.count()) * std::pow(2.0, doublings), 600e9))};
  }
  void trip(Instant now) {
    tripped = true;
    probing = false;
    opened = now;
    deadlines = {now + timeout(probes_in_vain)};
  }
  void begin() { probing = tripped; }
  void reach() {
    tripped = probing = false;
    in_a_row = probes_in_vain = 0;
  }
  void fail(Instant now) {
    ++in_a_row;
    if (probing) ++probes_in_vain;
    if (probing || in_a_row >= options.failures) trip(now);
  }
  void leave(Instant now) {
    if (probing) trip(now);
  }
  void notice() {
    probes_in_vain = 0;
    deadlines.push_back(opened + timeout(0));
  }
  void expire(Instant now) {
    probes_in_vain = 0;
    deadlines.push_back(now);
  }

  Breaker::Options options;
  bool tripped = false;
  bool probing = false;
  unsigned in_a_row = 0;
  unsigned probes_in_vain = 0;
  Instant opened{};
  std::vector<Instant> deadlines;
};

Breaker failed(unsigned times, Breaker::Options options = {}) {
  Breaker b{options};
  for (unsigned i = 0; i < times; ++i) {
    b.begin(kStart);
    b.fail(kStart);
  }
  return b;
}

}  // namespace

TEST_CASE("exactly these transitions of a breaker exist") {
  using S = BreakerState;
  const std::set<std::pair<S, S>> legal_ones = {{S::closed, S::open},
                                                {S::open, S::half_open},
                                                {S::open, S::closed},
                                                {S::half_open, S::open},
                                                {S::half_open, S::closed}};
  for (std::size_t from = 0; from < enum_count<S>(); ++from)
    for (std::size_t to = 0; to < enum_count<S>(); ++to)
      CHECK(legal(static_cast<S>(from), static_cast<S>(to)) ==
            legal_ones.contains({static_cast<S>(from), static_cast<S>(to)}));
}

TEST_CASE("a million random steps agree with the naive model") {
  Rng rng{5};
  constexpr int kSteps = 1'000'000;
  constexpr int kStepsALife = 400;
  std::array<std::size_t, 3> seen{};
  std::size_t longest = 0;  // time-outs that reached the limit
  for (int done = 0; done < kSteps;) {
    const Breaker::Options options{1 + static_cast<unsigned>(rng.below(7)), 1s + rng.up_to(599s)};
    Breaker breaker{options};
    Naive naive{options};
    bool dialling = false;
    Instant now = kStart;
    for (int i = 0; i < kStepsALife; ++i, ++done) {
      const BreakerState before = breaker.state();
      // Now and then exactly when it is due, or just before: that is where it goes wrong.
      if (before == BreakerState::open && rng.chance(0.3))
        now = std::max(now, breaker.until() - (rng.chance(0.5) ? 0ns : 1ns));
      else
        now += rng.up_to(rng.chance(0.1) ? Duration{700s} : Duration{20s});
      switch (rng.below(16)) {
        case 0:
          breaker.notice(), naive.notice();
          break;
        case 1:
          breaker.expire(now), naive.expire(now);
          break;
        case 2:  // by a connection of its own
          breaker.reach(), naive.reach();
          break;
        default:
          if (!dialling) {
            if (!breaker.allows(now)) break;
            breaker.begin(now), naive.begin();
            dialling = true;
            break;
          }
          dialling = false;
          if (const auto end = rng.below(20); end == 0)
            breaker.reach(), naive.reach();
          else if (end < 4)
            breaker.leave(now), naive.leave(now);
          else
            breaker.fail(now), naive.fail(now);
      }
      if (breaker.state() != naive.state() || breaker.failures() != naive.in_a_row ||
          breaker.allows(now) != naive.allows(now) ||
          (breaker.state() == BreakerState::open && breaker.until() != naive.until())) {
        INFO("step " << done << ", " << name(naive.state()));
        REQUIRE(breaker.state() == naive.state());
        REQUIRE(breaker.failures() == naive.in_a_row);
        REQUIRE(breaker.allows(now) == naive.allows(now));
        REQUIRE(breaker.until() == naive.until());
      }
      if (before != breaker.state() && !legal(before, breaker.state())) FAIL("an illegal transition");
      ++seen[static_cast<std::size_t>(breaker.state())];
      longest += before != BreakerState::open && breaker.state() == BreakerState::open &&
                 breaker.until() - now == Breaker::kLongestTimeout;
    }
  }
  for (const std::size_t times : seen) CHECK(times > kSteps / 50);  // nothing was left untried
  CHECK(longest > 1000);
}

TEST_CASE("it opens at the fifth failure in a row, and lets one dial through a minute later") {
  CHECK(failed(4).state() == BreakerState::closed);
  Breaker b = failed(5);
  CHECK(b.state() == BreakerState::open);
  CHECK_FALSE(b.allows(kStart + 60s - 1ns));
  REQUIRE(b.allows(kStart + 60s));
  b.begin(kStart + 60s);
  CHECK(b.state() == BreakerState::half_open);
  CHECK_FALSE(b.allows(kStart + 24h));
}

TEST_CASE("failures that are not in a row do not open it") {
  Breaker b = failed(4);
  b.begin(kStart);
  b.reach();
  for (int i = 0; i < 4; ++i) {
    b.begin(kStart);
    b.fail(kStart);
  }
  CHECK(b.state() == BreakerState::closed);
}

TEST_CASE("of a peer that stays dead the time-out doubles up to ten minutes, and a sign of it begins anew") {
  Breaker b = failed(5);
  for (const Duration expected : {Duration{60s}, Duration{120s}, Duration{240s}, Duration{480s}, Duration{600s}, Duration{600s}}) {
    const Instant opened = b.until() - expected;
    b.begin(b.until());
    b.fail(opened + expected);
  }
  CHECK(b.until() > kStart + 600s);
  const Instant opened = b.until() - 600s;
  b.notice();
  CHECK(b.until() == opened + 60s);
}

TEST_CASE("a probe that says nothing opens it again for as long as before") {
  Breaker b = failed(5);
  b.begin(kStart + 60s);
  b.leave(kStart + 70s);
  CHECK(b.state() == BreakerState::open);
  CHECK(b.until() == kStart + 130s);
  CHECK(b.failures() == 5);
}
