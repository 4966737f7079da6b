// Bars: few runs are judged by chance, many by their share, and what must always be so by every single run.
#include "sim/matrix/bars.hpp"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

using namespace pw::sim::matrix;
using Catch::Approx;
using Verdict = Bar::Verdict;

namespace {

Bar bar(double share, std::size_t hits, std::size_t runs) { return {"", share, hits, runs}; }

}  // namespace

TEST_CASE("chance is that of independent draws") {
  CHECK(chance_of_at_most(0, 3, 0.5) == Approx(0.125));
  CHECK(chance_of_at_most(1, 3, 0.5) == Approx(0.5));
  CHECK(chance_of_at_most(3, 3, 0.5) == Approx(1));
  CHECK(chance_of_at_most(8, 10, 0.95) == Approx(0.08614).margin(1e-5));
  CHECK(chance_of_at_most(9970, 10000, 0.999) == Approx(2.4615644e-7));
}

TEST_CASE("one miss in five is chance, where a share is asked for; most of them, or many in many, are not") {
  CHECK(bar(0.999, 5, 5).verdict() == Verdict::held);
  CHECK(bar(0.999, 4, 5).verdict() == Verdict::below);
  CHECK(bar(0.999, 2, 5).verdict() == Verdict::missed);
  CHECK(bar(0.95, 2, 5).verdict() == Verdict::below);
  CHECK(bar(0.95, 0, 5).verdict() == Verdict::missed);
  CHECK(bar(0.999, 9990, 10000).verdict() == Verdict::held);
  CHECK(bar(0.999, 9985, 10000).verdict() == Verdict::below);
  CHECK(bar(0.999, 9950, 10000).verdict() == Verdict::missed);
}

TEST_CASE("what has to be always is missed by a single run") {
  CHECK(bar(1, 1000, 1000).verdict() == Verdict::held);
  CHECK(bar(1, 999, 1000).verdict() == Verdict::missed);
}
