#include "path/hearing.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::path;

namespace {

constexpr std::uint32_t kPath = 7;
const Instant kNow{100s};

/// Which of the last four probes before the one that was heard last have arrived, the latest first.
std::uint64_t heard(Hearing& hearing, std::uint32_t sequence, std::uint32_t path = kPath) {
  const auto receipt = hearing.receipt(kNow, kNow, {sequence, 0, path});
  REQUIRE(receipt);
  CHECK(receipt->highest == sequence);
  return receipt->window & 0xf;
}

TEST_CASE("a path of the peer's that goes on at another address takes along what was heard of it") {
  Hearing before;
  for (std::uint32_t n = 1; n <= 3; ++n) heard(before, n);
  Hearing after;
  REQUIRE(before.window(kPath));
  after.adopt(kPath, *before.window(kPath));
  CHECK(heard(after, 4) == 0b1111);
  CHECK(heard(before, 5) == 0b1101);  // what is heard elsewhere from then on does not count
}

TEST_CASE("each path of the peer's has a window of its own, and the one heard last tells the jitter") {
  Hearing hearing;
  heard(hearing, 10, 1);
  CHECK(heard(hearing, 1, 2) == 0b1);
  CHECK(heard(hearing, 11, 1) == 0b11);
  CHECK_FALSE(hearing.receipt(kNow, kNow, {11, 0, 1}));
  CHECK(hearing.window(1));
  CHECK_FALSE(hearing.window(3));
}

TEST_CASE("only so many paths of the peer's are remembered: who was silent for longest goes") {
  Hearing hearing;
  for (std::uint32_t path = 0; path < Hearing::kMax; ++path) heard(hearing, 1, path);
  heard(hearing, 2, 0);
  heard(hearing, 1, 100);
  CHECK(hearing.window(0));
  CHECK_FALSE(hearing.window(1));
}

}  // namespace
