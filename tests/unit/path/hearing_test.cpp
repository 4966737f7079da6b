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

/// As Set does it: at `here`, with what was heard in both places.
std::optional<wire::ReceiptFrame> hear(Hearing& here, const Hearing& elsewhere, std::uint32_t sequence) {
  const wire::ProbeFrame probe{sequence, 0, kPath};
  if (const auto* latest = here.later(kPath, elsewhere.later(kPath, nullptr))) here.adopt(probe, *latest);
  return here.receipt(kNow, kNow, probe);
}

TEST_CASE("a path of the peer's that goes on at another address, and back, takes along what was heard of it") {
  Hearing before, after;
  for (std::uint32_t n = 1; n <= 3; ++n) heard(before, n);
  CHECK(hear(after, before, 4)->window == 0b1111);
  CHECK(hear(after, before, 6)->window == 0b111101);
  CHECK(hear(before, after, 7)->window == 0b1111011);
}

TEST_CASE("copies from elsewhere, sooner than the originals, spoil nothing") {
  Hearing here, thief;
  for (std::uint32_t n = 1; n <= 9; ++n) {
    static_cast<void>(hear(thief, here, n));
    const auto receipt = hear(here, thief, n);
    REQUIRE(receipt);
    CHECK(receipt->window == (1ULL << n) - 1);
  }
}

TEST_CASE("each path of the peer's has a window of its own, and the one heard last tells the jitter") {
  Hearing hearing;
  heard(hearing, 10, 1);
  CHECK(heard(hearing, 1, 2) == 0b1);
  CHECK(heard(hearing, 11, 1) == 0b11);
  CHECK_FALSE(hearing.receipt(kNow, kNow, {11, 0, 1}));
  CHECK(hearing.later(1, nullptr));
  CHECK_FALSE(hearing.later(3, nullptr));
}

TEST_CASE("only so many paths of the peer's are remembered: who was silent for longest goes") {
  Hearing hearing;
  for (std::uint32_t path = 0; path < Hearing::kMax; ++path) heard(hearing, 1, path);
  heard(hearing, 2, 0);
  heard(hearing, 1, 100);
  CHECK(hearing.later(0, nullptr));
  CHECK_FALSE(hearing.later(1, nullptr));
}

}  // namespace
