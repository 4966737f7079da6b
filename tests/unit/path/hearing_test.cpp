#include "path/hearing.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::path;

namespace {

constexpr std::uint32_t kPath = 7;
const Instant kNow{100s};

struct Places {
  Hearing one, other, anywhere;
  std::optional<wire::ReceiptFrame> hear(Hearing& at, std::uint32_t sequence, std::uint32_t path = kPath) {
    return at.receipt(kNow, kNow, {sequence, 0, path}, anywhere);
  }
};

TEST_CASE("a path of the peer's that goes on at another address, and back, takes along what was heard of it") {
  Places p;
  for (std::uint32_t n = 1; n <= 3; ++n) REQUIRE(p.hear(p.one, n));
  CHECK(p.hear(p.other, 4)->window == 0b1111);
  CHECK(p.hear(p.other, 6)->window == 0b111101);
  CHECK(p.hear(p.one, 7)->window == 0b1111011);
  p.other = {};  // that place was forgotten; what was heard there was not
  CHECK(p.hear(p.other, 8)->window == 0b11110111);
}

TEST_CASE("copies from elsewhere, sooner than the originals, spoil nothing") {
  Places p;
  for (std::uint32_t n = 1; n <= 9; ++n) {
    static_cast<void>(p.hear(p.other, n));
    const auto receipt = p.hear(p.one, n);
    REQUIRE(receipt);
    CHECK(receipt->window == (1ULL << n) - 1);
    CHECK_FALSE(p.hear(p.one, n));
  }
}

TEST_CASE("each path of the peer's has a window of its own, and only so many are remembered") {
  Places p;
  REQUIRE(p.hear(p.one, 10, 1));
  CHECK(p.hear(p.one, 1, 2)->window == 0b1);
  CHECK(p.hear(p.one, 11, 1)->window == 0b11);
  for (std::uint32_t path = 100; path < 1000; ++path) REQUIRE(p.hear(p.one, 1, path));
  CHECK(p.one.size() == Hearing::kMax);
  CHECK(p.anywhere.size() == Hearing::kMax);
}

}  // namespace
