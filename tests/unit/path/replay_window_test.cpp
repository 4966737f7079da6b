#include "path/replay_window.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "base/rng.hpp"

using namespace pw;
using path::ReplayWindow;

TEST_CASE("each number counts once, in whatever order, while it is not too old: as a plain set says") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng{seed};
    ReplayWindow window;
    std::set<std::uint32_t> seen;
    std::uint32_t highest = 0;
    for (int i = 0; i < 5000; ++i) {
      const std::uint64_t kind = rng.below(100);
      std::uint32_t n = highest;
      if (kind < 50) n += 1 + static_cast<std::uint32_t>(rng.below(3));
      if (kind >= 50 && kind < 98)
        n -= static_cast<std::uint32_t>(rng.below(std::min<std::uint64_t>(highest + 1, 1100)));
      if (kind >= 98) n += static_cast<std::uint32_t>(rng.below(3000));
      const bool fresh = (seen.empty() || n + ReplayWindow::kSize > highest) && !seen.contains(n);
      INFO("seed " << seed << ", " << n << " after " << highest);
      REQUIRE(window.take(n) == fresh);
      if (fresh) seen.insert(n), highest = std::max(highest, n);
    }
  }
}

TEST_CASE("numbers wrap") {
  ReplayWindow window;
  CHECK(window.take(0xfffffff0));
  CHECK(window.take(5));
  CHECK(window.take(0xfffffff5));
  CHECK_FALSE(window.take(0xfffffff0));
  CHECK_FALSE(window.take(5));
  CHECK_FALSE(window.take(5 - ReplayWindow::kSize));
  CHECK(window.take(6 - ReplayWindow::kSize));
}
