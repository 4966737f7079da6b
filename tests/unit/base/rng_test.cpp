#include "base/rng.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <vector>

#include "base/bytes.hpp"

namespace pw {
namespace {

Buffer draw(Rng& rng, std::size_t n) {
  Buffer out(n);
  rng.fill(out);
  return out;
}

TEST_CASE("the stream is ChaCha20's: RFC 8439 appendix A.1, test vectors 1 and 2") {
  Rng rng{Rng::Seed{}};
  CHECK(to_hex(draw(rng, 64)) ==
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
  CHECK(to_hex(draw(rng, 64)) ==
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
}

TEST_CASE("the key takes part: RFC 8439 appendix A.1, test vector 3, the second block of another key") {
  Rng::Seed seed{};
  seed[31] = 1;
  Rng rng{seed};
  draw(rng, 64);
  CHECK(to_hex(draw(rng, 64)) ==
        "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
        "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0");
}

TEST_CASE("draws of any length read the same stream") {
  Rng whole{5};
  Rng parts{5};
  const Buffer expected = draw(whole, 1000);
  Buffer got;
  for (std::size_t n = 1; got.size() < expected.size(); n = n % 130 + 7) {
    const Buffer piece = draw(parts, std::min(n, expected.size() - got.size()));
    got.insert(got.end(), piece.begin(), piece.end());
  }
  CHECK(got == expected);
}

TEST_CASE("the same seed gives the same draws, another seed others") {
  Rng a{42};
  Rng b{42};
  Rng c{43};
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t v = a.next();
    CHECK(v == b.next());
    CHECK(v != c.next());
  }
}

TEST_CASE("a child's draws do not depend on how much its parent or siblings draw") {
  Rng lazy{9};
  Rng busy{9};
  Rng lazy_child = lazy.split();
  Rng busy_child = busy.split();
  Rng busy_sibling = busy.split();
  draw(busy, 12345);
  draw(busy_sibling, 777);
  CHECK(draw(lazy_child, 256) == draw(busy_child, 256));
  Rng sibling = lazy.split();
  CHECK(draw(sibling, 64) != draw(lazy_child, 64));
}

TEST_CASE("below() is uniform, for bounds that do not divide 2^64") {
  Rng rng{11};
  for (const std::uint64_t bound : {2U, 3U, 7U, 10U}) {
    constexpr int kDraws = 60'000;
    std::vector<int> counts(bound);
    for (int i = 0; i < kDraws; ++i) ++counts.at(rng.below(bound));
    const double expected = static_cast<double>(kDraws) / static_cast<double>(bound);
    double chi2 = 0;
    for (const int n : counts) chi2 += (n - expected) * (n - expected) / expected;
    CHECK(chi2 < 33);  // the 99.99th percentile for 9 degrees of freedom is 33.7
  }
  CHECK(rng.below(1) == 0);
}

TEST_CASE("below() has no bias where a plain remainder has a large one") {
  // With a bound of 3/4 · 2^64, a remainder would give the lowest third twice as often as the rest.
  Rng rng{12};
  constexpr std::uint64_t kBound = 3ULL << 62;
  constexpr int kDraws = 30'000;
  int lowest_third = 0;
  for (int i = 0; i < kDraws; ++i) {
    const std::uint64_t v = rng.below(kBound);
    REQUIRE(v < kBound);
    lowest_third += v < kBound / 3 ? 1 : 0;
  }
  CHECK(std::abs(lowest_third - kDraws / 3) < 500);  // six standard deviations
}

TEST_CASE("unit() is at least 0 and below 1, chance() keeps its probability, up_to() its bounds") {
  Rng rng{13};
  double sum = 0;
  int hits = 0;
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.unit();
    REQUIRE((u >= 0 && u < 1));
    sum += u;
    hits += rng.chance(0.2) ? 1 : 0;
  }
  CHECK(std::abs(sum / kDraws - 0.5) < 0.015);
  CHECK(std::abs(static_cast<double>(hits) / kDraws - 0.2) < 0.02);
  CHECK_FALSE(rng.chance(0));
  CHECK(rng.chance(1));
  std::vector<bool> seen(3);
  for (int i = 0; i < 200; ++i) seen.at(static_cast<std::size_t>(rng.up_to(2ns).count())) = true;
  CHECK(std::ranges::count(seen, true) == 3);
  CHECK(rng.up_to(0s) == 0s);
}

}  // namespace
}  // namespace pw
