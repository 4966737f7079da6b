#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"
#include "probe/heard_probes.hpp"
#include "probe/sent_probes.hpp"

using namespace pw;
using namespace pw::probe;

namespace {

constexpr Instant kStart{std::chrono::hours{1}};

struct Totals {
  std::uint32_t forward_expected = 0, forward_lost = 0, return_expected = 0, return_lost = 0, suspect = 0;
  void add(const SentProbes::Outcome& o) {
    forward_expected += o.forward_expected;
    forward_lost += o.forward_lost;
    return_expected += o.return_expected;
    return_lost += o.return_lost;
    suspect += o.suspect;
  }
};

}  // namespace

TEST_CASE("every settled probe is counted in the direction that lost it, exactly") {
  Rng rng{3};
  const Starvation well;
  for (int run = 0; run < 50; ++run) {
    SentProbes ours{kStart};
    HeardProbes theirs;
    Totals told;
    Totals truth;
    Instant now = kStart;
    constexpr int kProbes = 500;
    std::vector<int> fate;  // 0 fine, 1 lost there, 2 lost back
    for (int i = 0; i < kProbes; ++i, now += 1s) {
      const auto probe = ours.probe(now);
      const bool last = i >= kProbes - 3;  // whatever came before is settled by these
      if (!last && rng.chance(0.2)) {
        fate.push_back(1);
        continue;
      }
      const auto receipt = theirs.receipt(now, now, probe);
      REQUIRE(receipt);
      if (!last && rng.chance(0.1)) {
        fate.push_back(2);
        continue;
      }
      fate.push_back(0);
      told.add(ours.handle_receipt(now + 10ms, *receipt, well));
    }
    for (int f : fate) {
      ++truth.forward_expected;
      truth.forward_lost += f == 1;
      truth.return_expected += f != 1;
      truth.return_lost += f == 2;
    }
    CHECK(told.forward_expected == truth.forward_expected);
    CHECK(told.forward_lost == truth.forward_lost);
    CHECK(told.return_expected == truth.return_expected);
    CHECK(told.return_lost == truth.return_lost);
    CHECK(ours.outstanding() == 0);
  }
}

TEST_CASE("reordering by one place is no loss") {
  SentProbes ours{kStart};
  HeardProbes theirs;
  const Starvation well;
  Totals told;
  for (int i = 0; i < 100; i += 2) {
    const auto first = ours.probe(kStart + std::chrono::seconds{i});
    const auto second = ours.probe(kStart + std::chrono::seconds{i + 1});
    const Instant at = kStart + std::chrono::seconds{i + 2};
    const auto r2 = theirs.receipt(at, at, second);
    const auto r1 = theirs.receipt(at, at, first);
    told.add(ours.handle_receipt(at, *r2, well));
    told.add(ours.handle_receipt(at, *r1, well));
  }
  CHECK(told.forward_expected == 100);
  CHECK(told.forward_lost + told.return_lost == 0);
}

TEST_CASE("the other side's holding time is taken out, and a long one makes the sample suspect") {
  SentProbes ours{kStart};
  const Starvation well;
  auto probe = ours.probe(kStart);
  auto o = ours.handle_receipt(kStart + 30ms, {probe.sequence, probe.sequence, 1, 10'000}, well);
  CHECK(o.rtt == 20ms);
  CHECK_FALSE(o.rtt_suspect);
  probe = ours.probe(kStart + 1s);
  o = ours.handle_receipt(kStart + 1s + 300ms, {probe.sequence, probe.sequence, 1, 200'000}, well);
  CHECK(o.rtt_suspect);
}

TEST_CASE("a receipt measures once; invented ones do nothing") {
  SentProbes ours{kStart};
  const Starvation well;
  const auto probe = ours.probe(kStart);
  ours.probe(kStart + 1s);
  CHECK(ours.handle_receipt(kStart + 10ms, {probe.sequence, probe.sequence, 1, 0}, well).rtt == 10ms);
  const auto again = ours.handle_receipt(kStart + 20ms, {probe.sequence, probe.sequence, 1, 0}, well);
  CHECK_FALSE(again.rtt);
  const auto future = ours.handle_receipt(kStart + 20ms, {500, 500, ~0ULL, 0}, well);
  CHECK_FALSE(future.rtt);
  CHECK(future.forward_expected == 0);
  const auto held = ours.handle_receipt(kStart + 1100ms, {1, 1, 3, 4'000'000'000U}, well);  // longer than it was away
  CHECK_FALSE(held.rtt);
}

TEST_CASE("probes that were out while this node was late are left out, lost or not") {
  SentProbes ours{kStart};
  HeardProbes theirs;
  Starvation starved;
  Totals told;
  const auto lost = ours.probe(kStart);
  (void)lost;
  const auto late = ours.probe(kStart + 1s);
  starved.mark(kStart + 1500ms);
  const auto r = theirs.receipt(kStart + 1600ms, kStart + 1600ms, late);
  told.add(ours.handle_receipt(kStart + 1700ms, *r, starved));
  for (int i = 2; i < 6; ++i) {
    const Instant at = kStart + std::chrono::seconds{i};
    const auto receipt = theirs.receipt(at, at, ours.probe(at));
    told.add(ours.handle_receipt(at + 1ms, *receipt, starved));
  }
  CHECK(told.suspect == 2);
  CHECK(told.forward_expected == 4);
  CHECK(told.forward_lost == 0);
}

TEST_CASE("sequence numbers wrap without a false loss") {
  HeardProbes theirs;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const auto r = theirs.receipt(kStart, kStart, {0xffffffff - 100 + i, 0});
    REQUIRE(r);
    if (i >= 64) CHECK(r->window == ~0ULL);
  }
}

TEST_CASE("a probe that comes twice gets one receipt") {
  HeardProbes theirs;
  CHECK(theirs.receipt(kStart, kStart, {5, 0}));
  CHECK_FALSE(theirs.receipt(kStart, kStart, {5, 0}));
}

TEST_CASE("open probes are bounded") {
  SentProbes ours{kStart};
  for (int i = 0; i < 10'000; ++i) ours.probe(kStart + std::chrono::seconds{i});
  CHECK(ours.outstanding() == SentProbes::kMaxOutstanding);
}

TEST_CASE("probes that do not count are settled and not told; they still measure") {
  SentProbes ours{kStart};
  HeardProbes theirs;
  const Starvation well;
  for (std::uint32_t i = 0; i < 10; ++i) {
    const Instant at = kStart + std::chrono::seconds{i};
    const auto probe = ours.probe(at, i >= 5);
    if (i == 3 || i == 6) continue;  // lost
    const auto o = ours.handle_receipt(at + 10ms, *theirs.receipt(at, at, probe), well);
    CHECK(o.rtt == 10ms);
    CHECK(o.forward_lost == (i == 8 ? 1U : 0U));
    CHECK(o.forward_expected == (i < 5 ? 0U : i == 8 ? 2U : 1U));
  }
  CHECK(ours.outstanding() == 0);
}

TEST_CASE("what was heard in two places is heard, whichever is ahead") {
  for (const bool ahead : {false, true}) {
    HeardProbes here, there;
    for (const std::uint32_t n : {1U, 2U, 4U}) REQUIRE(here.receipt(kStart, kStart, {n, 0}));
    REQUIRE(there.receipt(kStart, kStart, {3, 0}));
    if (ahead) REQUIRE(there.receipt(kStart, kStart, {5, 0}));
    here.add(there);
    here.add({});
    CHECK(here.knows(5) == ahead);
    CHECK(here.receipt(kStart, kStart, {6, 0})->window == (ahead ? 0b111111U : 0b111101U));
    CHECK(here.knows(0xffffff00));  // too old to tell
    CHECK_FALSE(here.knows(7));
    HeardProbes none;
    none.add(here);
    CHECK(none.knows(6));
  }
}

TEST_CASE("numbers that are half of all apart have no order, and do no harm") {
  constexpr std::uint32_t kHalf = 0x80000000;
  HeardProbes one, other;
  REQUIRE(one.receipt(kStart, kStart, {0, 0}));
  CHECK(one.receipt(kStart, kStart, {kHalf, 0})->window == 1);
  CHECK(one.receipt(kStart, kStart, {0, 0})->window == 1);
  REQUIRE(other.receipt(kStart, kStart, {kHalf, 0}));
  one.add(other);
  other.add(one);
  CHECK(one.receipt(kStart, kStart, {1, 0}));
}
