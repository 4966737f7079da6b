// Back-off, token bucket, deadlines, and the arithmetic of time.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <string>

#include "base/backoff.hpp"
#include "base/deadlines.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "base/token_bucket.hpp"

namespace pw {
namespace {

constexpr Instant at(Duration d) { return Instant{d}; }

TEST_CASE("back-off: every delay lies within its ceiling, and the ceiling doubles up to the cap") {
  Rng rng{1};
  for (int run = 0; run < 300; ++run) {
    Backoff backoff{500ms, 60s};
    Duration ceiling = 500ms;
    for (unsigned n = 0; n < 100; ++n) {
      CHECK(backoff.failures() == n);
      const Duration d = backoff.next(rng);
      CHECK((d >= 0s && d <= ceiling));
      ceiling = std::min<Duration>(ceiling * 2, 60s);
    }
    backoff.reset();
    CHECK(backoff.failures() == 0);
    CHECK(backoff.next(rng) <= 500ms);
  }
}

TEST_CASE("back-off: full jitter spreads over the whole ceiling") {
  Rng rng{2};
  int low = 0;
  int high = 0;
  for (int run = 0; run < 4000; ++run) {
    Backoff backoff{1s, 60s};
    for (int n = 0; n < 3; ++n) backoff.next(rng);
    const Duration d = backoff.next(rng);  // uniform in [0, 8 s]
    low += d < 2s ? 1 : 0;
    high += d > 6s ? 1 : 0;
  }
  CHECK((low > 850 && low < 1150));
  CHECK((high > 850 && high < 1150));
}

TEST_CASE("back-off: extreme bounds neither overflow nor hang") {
  Rng rng{3};
  Backoff large{Duration::max() / 2, Duration::max() / 2};
  Backoff equal{1s, 1s};
  Backoff above{10s, 1s};
  for (int i = 0; i < 200; ++i) {
    CHECK(large.next(rng) >= 0s);
    CHECK(equal.next(rng) <= 1s);
    CHECK(above.next(rng) <= 1s);
  }
}

TEST_CASE("token bucket: a burst, then the rate") {
  TokenBucket bucket{10, 5};
  for (int i = 0; i < 5; ++i) CHECK(bucket.take(at(1s)));
  CHECK_FALSE(bucket.take(at(1s)));
  CHECK_FALSE(bucket.take(at(1s + 99ms)));
  CHECK(bucket.take(at(1s + 101ms)));
  CHECK_FALSE(bucket.full_at(at(1s + 200ms)));
  CHECK(bucket.full_at(at(2s)));
  CHECK_FALSE(bucket.take(at(1h), 6));
  CHECK(bucket.take(at(1h), 5));
}

TEST_CASE("token bucket: over any time it lets through at most burst + rate · time") {
  Rng rng{4};
  for (int run = 0; run < 50; ++run) {
    const double rate = 1 + static_cast<double>(rng.below(100));
    const double burst = 1 + static_cast<double>(rng.below(20));
    TokenBucket bucket{rate, burst};
    CHECK(bucket.full_at(at(0s)));
    Instant now{};
    double taken = 0;
    for (int i = 0; i < 2000; ++i) {
      now += rng.up_to(20ms);
      const auto wanted = static_cast<double>(1 + rng.below(3));
      if (bucket.take(now, wanted)) taken += wanted;
      REQUIRE(taken <= burst + rate * to_seconds(now.time_since_epoch()) + 1e-6);
    }
    CHECK(taken > 0);
  }
}

TEST_CASE("deadlines agree with a naive model") {
  Rng rng{5};
  Deadlines<int> real;
  std::map<int, Instant> model;
  for (int step = 0; step < 20'000; ++step) {
    const int key = static_cast<int>(rng.below(12));
    const Instant when = rng.chance(0.15) ? kNever : at(Duration{static_cast<std::int64_t>(rng.below(50))});
    if (rng.chance(0.2)) {
      real.clear(key);
      model.erase(key);
    } else {
      real.set(key, when);
      model.erase(key);
      if (when != kNever) model[key] = when;
    }
    Instant earliest = kNever;
    for (const auto& [k, t] : model) earliest = std::min(earliest, t);
    REQUIRE(real.size() == model.size());
    REQUIRE(real.earliest() == earliest);
    const Instant now = at(Duration{static_cast<std::int64_t>(rng.below(50))});
    const int* due = real.due(now);
    REQUIRE((due != nullptr) == (earliest <= now && !model.empty()));
    if (due != nullptr) REQUIRE(model.at(*due) == earliest);
  }
}

TEST_CASE("deadlines: draining what is due gives every key once, in order of time") {
  Deadlines<std::string> deadlines;
  for (int i = 0; i < 100; ++i) deadlines.set(std::to_string(i), at(Duration{(i * 37) % 100}));
  Instant last{};
  int drained = 0;
  while (const std::string* key = deadlines.due(at(49ns))) {
    CHECK(deadlines.earliest() >= last);
    last = deadlines.earliest();
    deadlines.clear(std::string{*key});
    ++drained;
  }
  CHECK(drained == 50);
  CHECK(deadlines.earliest() == at(50ns));
}

TEST_CASE("time saturates at never") {
  CHECK(saturating_add(at(1s), 2s) == at(3s));
  CHECK(saturating_add(kNever, 1s) == kNever);
  CHECK(saturating_add(kNever - 1ns, 1ns) == kNever);
  CHECK(saturating_add(kNever - 1ns, 2ns) == kNever);
  CHECK(saturating_add(at(1s), Duration::max()) == kNever);
  CHECK(earlier(at(1s), kNever) == at(1s));
  CHECK(earlier(at(2s), at(1s)) == at(1s));
  CHECK(to_seconds(1500ms) == 1.5);
  CHECK(to_milliseconds(1500us) == 1.5);
  CHECK(from_seconds(0.25) == 250ms);
}

}  // namespace
}  // namespace pw
