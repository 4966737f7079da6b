#include <catch2/catch_test_macros.hpp>

#include "probe/liveness.hpp"

using namespace pw;
using event::PathHealth;
using probe::Liveness;

namespace {
constexpr Instant kStart{std::chrono::hours{1}};

/// Probes whenever it is time, unanswered, until `end`; tells when each change of health came.
struct Silent {
  Liveness& l;
  Duration timeout;
  std::vector<std::pair<Instant, PathHealth>> changes;
  unsigned probes = 0;
  void run(Instant end) {
    for (Instant now = l.next_timeout(); now <= end; now = l.next_timeout()) {
      if (l.expire(now)) changes.emplace_back(now, l.health());
      if (l.next_probe() <= now) {
        l.sent(now, timeout);
        ++probes;
      }
    }
  }
};
}  // namespace

TEST_CASE("one unanswered probe makes a path suspect, eight more at that pace make it dead") {
  Liveness l{1s, kStart, 1s};
  l.sent(kStart, 100ms);
  l.proof(kStart + 10ms);
  Silent s{l, 100ms, {}, 0};
  s.run(kStart + 5s);
  REQUIRE(s.changes.size() == 2);
  CHECK(s.changes[0].second == PathHealth::suspect);
  CHECK(s.changes[0].first == kStart + 1100ms);
  CHECK(s.changes[1].second == PathHealth::dead);
  CHECK(s.changes[1].first == kStart + 1900ms);
}

TEST_CASE("a dead path is probed at the normal interval and any proof revives it") {
  Liveness l{1s, kStart, 0s};
  Silent s{l, 100ms, {}, 0};
  s.run(kStart + 10s);
  REQUIRE(l.health() == PathHealth::dead);
  s.probes = 0;
  s.run(kStart + 20s);
  CHECK(s.probes == 10);
  CHECK(l.proof(kStart + 20s));
  CHECK(l.health() == PathHealth::proved);
  CHECK_FALSE(l.proof(kStart + 21s));
}

TEST_CASE("answers keep a path proved for ever") {
  Liveness l{1s, kStart, 1s};
  for (Instant now = kStart; now < kStart + 1h; now = l.next_timeout()) {
    REQUIRE_FALSE(l.expire(now));
    l.sent(now, 100ms);
    l.proof(now + 20ms);
  }
  CHECK(l.health() == PathHealth::proved);
}

TEST_CASE("our own lateness restarts the wait instead of blaming the path") {
  Liveness l{1s, kStart, 1s};
  l.sent(kStart, 100ms);
  l.restart_wait(kStart + 5s);
  CHECK_FALSE(l.expire(kStart + 5s));
  CHECK_FALSE(l.expire(kStart + 5s + 99ms));
  CHECK(l.expire(kStart + 5s + 100ms));
}

TEST_CASE("the wait follows RTT and variation within its bounds") {
  CHECK(Liveness::timeout_of(std::nullopt, {}) == Liveness::kFirstTimeout);
  CHECK(Liveness::timeout_of(1ms, 0ms) == Liveness::kMinTimeout);
  CHECK(Liveness::timeout_of(100ms, 10ms) == 190ms);
  CHECK(Liveness::timeout_of(10s, 1s) == Liveness::kMaxTimeout);
}
