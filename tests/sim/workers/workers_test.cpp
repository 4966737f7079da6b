// Seeds in processes: each is run once and told once, and one that brings its process down fails alone.
#include "sim/workers/workers.hpp"

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <map>

using namespace pw::sim;

TEST_CASE("every seed is told once, also those after one that died") {
  for (const unsigned workers : {1U, 3U}) {
    std::map<std::uint64_t, std::string> told;
    run_in_workers(
        {.first = 10, .count = 20}, workers,
        [](std::uint64_t seed) -> std::string {
          if (seed == 13 || seed == 29) raise(SIGKILL);
          if (seed == 15) _Exit(7);
          return seed == 20 ? "wrong" : "";
        },
        [&](std::uint64_t seed, const std::string& wrong) { return told.emplace(seed, wrong).second; });
    REQUIRE(told.size() == 20);
    for (const auto& [seed, wrong] : told) {
      INFO(seed << " with " << workers << " workers: " << wrong);
      if (seed == 13 || seed == 29)
        CHECK(wrong.starts_with("died of "));
      else if (seed == 15)
        CHECK(wrong == "ended with status 7");
      else
        CHECK(wrong == (seed == 20 ? "wrong" : ""));
    }
  }
}

TEST_CASE("nothing more is told after the first failure if nobody wants it") {
  int told = 0;
  run_in_workers(
      {.first = 1, .count = 1000}, 2, [](std::uint64_t) { return std::string{"wrong"}; },
      [&](std::uint64_t, const std::string&) {
        ++told;
        return false;
      });
  CHECK(told == 1);
}
