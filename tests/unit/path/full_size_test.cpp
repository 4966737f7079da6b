#include "path/full_size.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using path::FullSize;
using path::Size;

namespace {
constexpr Instant kStart{std::chrono::hours{1}};
constexpr Duration kTimeout = 100ms;

/// Checks whenever it is time, none of them answered; small ones are, or not. When the verdict changed.
std::optional<Instant> unanswered(FullSize& size, Instant from, Instant end, bool small_pass) {
  for (Instant now = from; now <= end; now = earlier(size.next_check(), size.judge_at())) {
    if (size.expire(now, small_pass ? now : Instant{})) return now;
    if (size.next_check() <= now) size.sent(now, kTimeout);
  }
  return std::nullopt;
}
}  // namespace

TEST_CASE("four unanswered in a row while small ones pass make a path small, one answered makes it full") {
  FullSize size{kStart, Size::unknown, 30s};
  CHECK(size.next_check() == kStart);
  const auto at = unanswered(size, kStart, kStart + 10s, true);
  CHECK(at == kStart + 4 * FullSize::kPatience * kTimeout);
  CHECK(size.verdict() == Size::small);
  CHECK(size.next_check() == *at + FullSize::kRecheck);
  CHECK(size.passed(*at + 1s, 30s));
  CHECK(size.verdict() == Size::full);
  CHECK(size.passed_at() == *at + 1s);
  CHECK(size.next_check() == *at + 31s);
  CHECK_FALSE(size.passed(*at + 2s, 30s));
}

TEST_CASE("where small ones don't pass either, nothing is said about sizes") {
  FullSize size{kStart, Size::full, 30s};
  CHECK_FALSE(unanswered(size, kStart + 30s, kStart + 300s, false));
  CHECK(size.verdict() == Size::full);
}

TEST_CASE("three unanswered and one answered is full, and in doubt only meanwhile") {
  FullSize size{kStart, Size::full, 30s};
  CHECK(size.next_check() == kStart + 30s);
  CHECK_FALSE(size.doubtful());
  CHECK_FALSE(unanswered(size, kStart + 30s, kStart + 30s + 3 * FullSize::kPatience * kTimeout, true));
  CHECK(size.doubtful());
  CHECK_FALSE(size.passed(kStart + 31s, 30s));
  CHECK_FALSE(size.doubtful());
  CHECK_FALSE(unanswered(size, kStart + 61s, kStart + 61s + 3 * FullSize::kPatience * kTimeout, true));
}

TEST_CASE("what was known of a path that became another one counts no more") {
  FullSize size{kStart, Size::full, 30s};
  size.restart(kStart + 1s);
  CHECK(size.verdict() == Size::unknown);
  CHECK(size.next_check() == kStart + 1s);
}

TEST_CASE("own lateness gives the check that is out its time again") {
  FullSize size{kStart, Size::full, 30s};
  size.sent(kStart, kTimeout);
  size.restart_wait(kStart + 5s, kTimeout);
  CHECK_FALSE(size.expire(kStart + 5s, kStart));
  CHECK_FALSE(size.doubtful());
  CHECK(size.judge_at() == kStart + 5s + FullSize::kPatience * kTimeout);
}
