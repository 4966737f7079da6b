// A path that dies is noticed in time, whatever the traffic; and what is measured of a path is what its wire does.
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "sim/path/ends.hpp"

namespace pw::path {
namespace {

constexpr std::uint64_t kSeeds = 50;
/// Of the direct path, once its RTT is known: 20 ms and 50 ms for the other side's scheduling, or the least there is.
constexpr Duration kTimeout = probe::Liveness::kMinTimeout;

/// How long after the cut each end took the direct path for suspect.
std::array<Duration, 2> noticed(Ends& ends, const std::function<void()>& cut) {
  ends.run(ends.net.rng_for("when").up_to(1s));
  const Instant at = ends.net.now();
  cut();
  ends.run(5s);
  REQUIRE(ends.a.became(PathKind::direct_v4, PathHealth::suspect).value_or(Instant{}) > at);
  REQUIRE(ends.b.became(PathKind::direct_v4, PathHealth::suspect).value_or(Instant{}) > at);
  return {*ends.a.became(PathKind::direct_v4, PathHealth::suspect) - at,
          *ends.b.became(PathKind::direct_v4, PathHealth::suspect) - at};
}

TEST_CASE("a path that dies while idle is suspect within one interval and three probe time-outs") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    for (const Duration d : noticed(ends, [&] { ends.both(ends.direct, [](net::Link& l) { l.up = false; }); }))
      CHECK(d <= 1s + 3 * kTimeout);
  }
}

TEST_CASE("with packets flowing a path that dies is suspect within three probe time-outs") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    ends.a.send_every(20ms);
    ends.b.send_every(70ms);
    ends.run(2s);
    for (const Duration d : noticed(ends, [&] { ends.both(ends.direct, [](net::Link& l) { l.up = false; }); }))
      CHECK(d <= 3 * kTimeout);
  }
}

TEST_CASE("a path that is dead in one direction is suspect to both, though packets go on arriving by it") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    ends.a.send_every(20ms);
    ends.b.send_every(20ms);
    ends.run(2s);
    End& from = seed % 2 == 0 ? ends.a : ends.b;
    End& to = seed % 2 == 0 ? ends.b : ends.a;
    for (const Duration d : noticed(ends, [&] { ends.link(ends.direct, from, to).up = false; }))
      CHECK(d <= 3 * kTimeout);
    CHECK(ends.a.set.sending_kind() == PathKind::relay_quic);
    CHECK(ends.b.set.sending_kind() == PathKind::relay_quic);
  }
}

TEST_CASE("nothing sent from the moment a path is suspect is lost when a standby lives") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    ends.a.send_every(10ms);
    ends.b.send_every(10ms);
    noticed(ends, [&] { ends.both(ends.direct, [](net::Link& l) { l.up = false; }); });
    for (const auto& [from, to] : {std::pair{&ends.a, &ends.b}, std::pair{&ends.b, &ends.a}}) {
      const Instant suspect = from->became(PathKind::direct_v4, PathHealth::suspect).value();
      CHECK(lost(*from, *to, suspect + 1ns, ends.net.now() - 100ms) == 0);  // at that very instant it may not be known
      CHECK(lost(*from, *to, suspect - 1s, suspect) > 0);                   // the cut was real
      // Not on both for ever: dead after eight more time-outs, then on the standby alone.
      const Instant moved = from->moved_to(PathKind::relay_quic).value();
      CHECK(moved - suspect <= probe::Liveness::kDeadAfter * kTimeout + 50ms);
      CHECK(from->sending.size() == 1);
    }
  }
}

TEST_CASE("a failover is told from the last proof of the path that failed to the first of the one that took over") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    noticed(ends, [&] { ends.both(ends.direct, [](net::Link& l) { l.up = false; }); });
    for (End* end : {&ends.a, &ends.b}) {
      const Instant suspect = end->became(PathKind::direct_v4, PathHealth::suspect).value();
      std::optional<Instant> last_old, first_new;
      for (const auto& [at, e] : end->told<RttSampled>()) {
        if (e.path.kind == PathKind::direct_v4) last_old = at;
        if (e.path.kind == PathKind::relay_quic && at >= suspect && !first_new) first_new = at;
      }
      const auto told = end->told<FailedOver>();
      REQUIRE(told.size() == 1);
      CHECK(told[0].second.from.kind == PathKind::direct_v4);
      CHECK(told[0].second.to.kind == PathKind::relay_quic);
      CHECK(told[0].second.took == first_new.value() - last_old.value());
      CHECK(*first_new - suspect <= 2 * Ends::kDetour);  // it was asked at once
    }
  }
}

TEST_CASE("a path that came back before another one took over has not failed over, nor one that is left without need") {
  Ends ends{1};
  ends.start_direct();
  ends.both(ends.detour, [](net::Link& l) { l.up = false; });
  ends.run(10s);
  ends.both(ends.direct, [](net::Link& l) { l.up = false; });
  ends.run(10s);
  REQUIRE(ends.a.set.sending_kind() == PathKind::none);
  ends.both(ends.direct, [](net::Link& l) { l.up = true; });
  ends.run(10s);
  REQUIRE(ends.a.set.sending_kind() == PathKind::direct_v4);
  CHECK(ends.a.told<FailedOver>().empty());

  ends.both(ends.detour, [](net::Link& l) { l.up = true; });
  ends.run(10s);
  ends.a.command([&](Set& s, Instant now) { s.close(now, ends.way(ends.a, ends.b, 0), PathChangeReason::operator_request); });
  ends.run(1s);
  CHECK(ends.a.told<FailedOver>().empty());
}

TEST_CASE("a standby that has just been taken is watched as closely as the path before it") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    ends.run(ends.net.rng_for("phase").up_to(5s));
    const PathAddress direct = ends.way(ends.a, ends.b, 0);
    ends.a.command([&](Set& s, Instant now) { s.close(now, direct, PathChangeReason::operator_request); });
    const Instant at = ends.net.now();
    ends.both(ends.detour, [](net::Link& l) { l.up = false; });
    ends.run(5s);
    CHECK(ends.a.became(PathKind::relay_quic, PathHealth::suspect).value() - at <= 1s + 3 * 110ms);
  }
}

TEST_CASE("while a slow path is in doubt packets go out on two paths for three seconds and no longer") {
  Ends ends{1};
  ends.both(ends.direct, [](net::Link& l) { l.delay = 400ms; });
  ends.start_direct();
  ends.run(20s);
  ends.both(ends.direct, [](net::Link& l) { l.up = false; });
  ends.run(20s);
  const Instant suspect = ends.a.became(PathKind::direct_v4, PathHealth::suspect).value();
  CHECK(ends.a.moved_to(PathKind::relay_quic).value() == suspect + Selector::kDoubt);
  CHECK(ends.a.became(PathKind::direct_v4, PathHealth::dead).value() > suspect + Selector::kDoubt);
}

TEST_CASE("loss is told for each direction, as the wire loses, and a lossy path is not taken for dead") {
  std::array<std::uint32_t, 2> expected{};
  std::array<std::uint32_t, 2> gone{};
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Ends ends{seed};
    ends.start_direct();
    ends.link(ends.direct, ends.a, ends.b).loss = 0.2;
    ends.link(ends.direct, ends.b, ends.a).loss = 0.05;
    ends.a.events.clear();
    ends.run(600s);
    CHECK_FALSE(ends.a.became(PathKind::direct_v4, PathHealth::dead));
    for (const auto& [at, e] : ends.a.told<LossAccounted>()) {
      if (e.path.kind != PathKind::direct_v4) {
        CHECK(e.lost == 0);
        continue;
      }
      expected.at(static_cast<std::size_t>(e.direction)) += e.expected;
      gone.at(static_cast<std::size_t>(e.direction)) += e.lost;
    }
  }
  for (const auto& [i, p] : {std::pair{0U, 0.2}, std::pair{1U, 0.05}}) {
    const double n = expected.at(i);
    INFO(gone.at(i) << " of " << n << " lost");
    CHECK(n > 5000);
    CHECK(std::abs(gone.at(i) - n * p) < 4 * std::sqrt(n * p * (1 - p)));
  }
}

TEST_CASE("the RTT of each path follows its wire, at the pace of its probes") {
  Ends ends{3};
  ends.start_direct();
  CHECK(ends.a.path(PathKind::direct_v4)->path.rtt == 2 * Ends::kDirect);
  CHECK(ends.a.path(PathKind::relay_quic)->path.rtt == 2 * Ends::kDetour);
  ends.both(ends.direct, [](net::Link& l) { l.delay = 25ms; });
  ends.run(60s);
  const auto direct = ends.a.path(PathKind::direct_v4)->path;
  CHECK(*direct.rtt > 49ms);
  CHECK(*direct.rtt <= 50ms);
  CHECK(*direct.rtt_min == 20ms);
  CHECK(ends.a.path(PathKind::relay_quic)->path.rtt == 2 * Ends::kDetour);
}

TEST_CASE("packets that overtake one another or come twice are no loss and no doubt") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    ends.both(ends.direct, [](net::Link& l) {
      l.jitter = 20ms;
      l.reorder = 0.2;
      l.reorder_by = 15ms;
      l.duplicate = 0.3;
    });
    ends.a.send_every(50ms);
    ends.run(60s);
    for (End* end : {&ends.a, &ends.b}) {
      for (const auto& [at, e] : end->told<LossAccounted>()) CHECK(e.lost == 0);
      CHECK_FALSE(end->became(PathKind::direct_v4, PathHealth::dead));
      CHECK(end->moves(PathChangeReason::path_lost) == 0);
      CHECK(end->refused(Refusal::replayed) > 0);             // second copies of requests
      CHECK(end->refused(Refusal::unknown_transaction) > 0);  // and of answers
      CHECK(end->refusals.size() == 2);
    }
  }
}

TEST_CASE("a node that did not get to run blames no path for it") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    for (int i = 0; i < 10; ++i) {
      ends.a.machine().stop(700ms);
      ends.run(3s);
    }
    CHECK_FALSE(ends.a.became(PathKind::direct_v4, PathHealth::dead));
    CHECK(ends.a.moves(PathChangeReason::path_lost) == 0);
    for (const auto& [at, e] : ends.a.told<RttSampled>())
      if (!e.suspect) CHECK(e.rtt <= 2 * Ends::kDetour);
  }
}

}  // namespace
}  // namespace pw::path
