// Networks that lose large packets only: such a path is not chosen, and left when it becomes one.
#include <catch2/catch_test_macros.hpp>

#include "sim/path/ends.hpp"

namespace pw::path {
namespace {

constexpr std::uint64_t kSeeds = 50;
constexpr std::size_t kNarrow = 1000;  // IP packets; a full-size check has 1228 bytes

TEST_CASE("a path that large packets don't pass, in either direction, is not used while another one is whole") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    if (seed % 3 != 1) ends.link(ends.direct, ends.a, ends.b).mtu = kNarrow;
    if (seed % 3 != 2) ends.link(ends.direct, ends.b, ends.a).mtu = kNarrow;
    ends.start_relayed();
    ends.a.add(ends.way(ends.a, ends.b, 0), PathKind::direct_v4, false);
    ends.b.add(ends.way(ends.b, ends.a, 0), PathKind::direct_v4, false);
    ends.a.send_every(50ms);
    ends.b.send_every(50ms);
    ends.run(120s);
    for (End* end : {&ends.a, &ends.b}) {
      CHECK(end->path(PathKind::direct_v4)->path.size == Size::small);
      CHECK(end->path(PathKind::direct_v4)->path.health == PathHealth::proved);
      CHECK_FALSE(end->path(PathKind::direct_v4)->last_full_proof);
      CHECK_FALSE(end->moved_to(PathKind::direct_v4));
    }
    CHECK(lost(ends.a, ends.b, net::Net::kStart, ends.net.now() - 1s) == 0);
    CHECK(lost(ends.b, ends.a, net::Net::kStart, ends.net.now() - 1s) == 0);
  }
}

TEST_CASE("a path in use that begins to lose large packets is left, within a second where QUIC reports losses") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (const bool reported : {false, true}) {
      INFO("seed " << seed << (reported ? ", reported" : ""));
      Ends ends{seed};
      ends.start_direct();
      ends.run(ends.net.rng_for("when").up_to(40s));
      const Instant began = ends.net.now();
      ends.both(ends.direct, [](net::Link& l) { l.mtu = kNarrow; });
      if (reported) ends.a.command([](Set& s, Instant now) { s.doubt_full_size(now, now); });
      ends.run(60s);
      const Duration judged = FullSize::kTries * FullSize::kPatience * probe::Liveness::kMinTimeout + 50ms;
      REQUIRE(ends.a.moved_to(PathKind::relay_quic));
      CHECK(*ends.a.moved_to(PathKind::relay_quic) - began <= judged + (reported ? 0s : Options{}.full_interval));
      CHECK(ends.b.moved_to(PathKind::relay_quic));
      CHECK(ends.a.moves(PathChangeReason::path_lost) == 1);
      CHECK_FALSE(ends.a.became(PathKind::direct_v4, PathHealth::dead));
      // Small checks pass all the time: it is the hint that counts, or the first large one in vain.
      REQUIRE(ends.a.told<FailedOver>().size() == 1);
      const Duration doubtful = reported ? 0s : FullSize::kPatience * probe::Liveness::kMinTimeout;
      CHECK(ends.a.told<FailedOver>()[0].second.took > doubtful);
      CHECK(ends.a.told<FailedOver>()[0].second.took <= judged);
    }
  }
}

TEST_CASE("the direct path is returned to only when checks at full size pass") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    // It dies, and comes back for small packets only.
    ends.both(ends.direct, [](net::Link& l) { l.up = false; });
    ends.run(10s);
    ends.both(ends.direct, [](net::Link& l) { l.up = true, l.mtu = kNarrow; });
    ends.a.events.clear();
    ends.run(120s);
    CHECK(ends.a.path(PathKind::direct_v4)->path.health == PathHealth::proved);
    CHECK(ends.a.told<SendingPathChanged>().empty());
    const Instant whole = ends.net.now();
    ends.both(ends.direct, [](net::Link& l) { l.mtu = 1500; });
    ends.run(FullSize::kRecheck + 1s);
    CHECK(ends.a.moves(PathChangeReason::upgraded) == 1);
    CHECK(ends.a.moved_to(PathKind::direct_v4).value_or(Instant{}) > whole);
  }
}

TEST_CASE("a slow link is not taken for one that loses large packets") {
  Ends ends{1};
  ends.both(ends.direct, [](net::Link& l) { l.rate = 12'000; });  // 0.1 s a full-size packet
  ends.start_relayed();
  ends.a.add(ends.way(ends.a, ends.b, 0), PathKind::direct_v4, false);
  ends.run(10s);
  CHECK(ends.a.path(PathKind::direct_v4)->path.size == Size::full);
  CHECK(ends.a.set.sending_kind() == PathKind::direct_v4);
  ends.run(300s);
  CHECK(ends.a.path(PathKind::direct_v4)->path.size == Size::full);
}

}  // namespace
}  // namespace pw::path
