#include "io/clock.hpp"

#include <catch2/catch_test_macros.hpp>

namespace pw::io {
namespace {

const Instant kNow{1000s};
const WallTime kWall{1'700'000'000s};

TEST_CASE("a receive time goes back from now by the age of the packet") {
  CHECK(received_at(kWall - 3ms, kWall, kNow) == kNow - 3ms);
}

TEST_CASE("a receive time is never later than now, nor older than a second, whatever wall time does") {
  CHECK(received_at(kWall + 5s, kWall, kNow) == kNow);
  CHECK(received_at(kWall - 3600s, kWall, kNow) == kNow - kMaxReceiveAge);
}

TEST_CASE("the clocks run and agree on their epoch's direction") {
  const Instant a = Clock::now();
  const Instant b = Clock::now();
  CHECK(b >= a);
  CHECK(Clock::since_boot() >= a.time_since_epoch());
  CHECK(Clock::wall() > kWall);
}

TEST_CASE("two draws of entropy differ") { CHECK(entropy() != entropy()); }

struct Machine {
  Instant now = kNow;
  Duration boot = 1000s;
  Duration cpu{};
  JumpDetector detector{250ms};
  std::optional<Duration> after(Duration awake, Duration asleep, Duration used) {
    now += awake;
    boot += awake + asleep;
    cpu += used;
    return detector.observe(now, boot, [this] { return cpu; });
  }
};

TEST_CASE("a quiet and a busy loop are no jump") {
  Machine m;
  CHECK_FALSE(m.after(0s, 0s, 0s));
  CHECK_FALSE(m.after(250ms, 0s, 1ms));
  CHECK_FALSE(m.after(1200ms, 0s, 0s));
  m.detector.mark(m.cpu);
  CHECK_FALSE(m.after(3s, 0s, 2900ms));
}

TEST_CASE("a suspended machine shows in boot time, once") {
  Machine m;
  m.after(0s, 0s, 0s);
  CHECK(m.after(10ms, 90s, 0s) == 90s);
  CHECK_FALSE(m.after(10ms, 0s, 0s));
}

TEST_CASE("a stopped process shows as time without CPU") {
  Machine m;
  m.after(0s, 0s, 0s);
  m.detector.mark(m.cpu);
  CHECK(m.after(4s, 0s, 1ms) == 4s);
  CHECK_FALSE(m.after(250ms, 0s, 1ms));
}

TEST_CASE("a machine that was suspended before the start has not jumped") {
  JumpDetector detector{250ms};
  CHECK_FALSE(detector.observe(kNow, 5000s, [] { return Duration{}; }));
}

}  // namespace
}  // namespace pw::io
