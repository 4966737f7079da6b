// A run says what it came to, and what is told wrongly is noticed.
#include "sim/matrix/run.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::sim;
using namespace pw::sim::matrix;
using net::Place;

namespace {

Cell cell(const std::string& name) {
  for (const Cell& cell : all_cells())
    if (cell.name() == name) return cell;
  FAIL("no cell " << name);
  return {};
}

}  // namespace

TEST_CASE("all pairs of the nine columns are there, each once, and the letters are the matrix'") {
  const auto all = all_cells();
  std::string letters;
  for (std::size_t i = 0; i < net::kPlaces * net::kPlaces; ++i) {
    CHECK(std::ranges::count(all, all[i].name(), &Cell::name) == 1);
    letters += letter(all[i].best);
  }
  CHECK(letters ==
        "PPPPPPPPW"
        "PPPPPPPPW"
        "PPPPPPPPW"
        "PPPPBSBPW"
        "PPPBRRRBW"
        "PPPSRSRSW"
        "PPPBRRRBW"
        "PPPPBSBPW"
        "WWWWWWWWW");
}

TEST_CASE("a run is the same on the other side of a pipe, and a process that died has broken a rule") {
  Run run = matrix::run(cell("EIM/APDF,carrier's NAT"), {.seed = 3});
  CHECK(run.outcome == Outcome::direct);
  CHECK(run.broken.empty());
  CHECK(from_line(to_line(run)) == run);
  run.direct.reset();
  run.untrue = "something";
  CHECK(from_line(to_line(run)) == run);
  CHECK(from_line("died of Killed").broken == "died of Killed");
}

TEST_CASE("the same seed comes to the same") {
  const Conditions conditions{.loss = 0.05, .foreign_flows = 10, .seed = 4};
  CHECK(matrix::run(cell("EIM/APDF,APDM seq"), conditions) == matrix::run(cell("EIM/APDF,APDM seq"), conditions));
}

TEST_CASE("a cell that is something else than its matrix says does not pass for it") {
  Cell wrong = cell("EIM/APDF,EIM/APDF");
  wrong.settle = cell("APDM rnd,APDM rnd").settle;  // nothing leads through these
  const Run apart = matrix::run(wrong, {.seed = 5});
  CHECK(apart.outcome == Outcome::relayed);
  CHECK(apart.untrue.find("infeasible") != std::string::npos);
  wrong = cell("APDM rnd,APDM rnd");
  wrong.settle = cell("EIM/APDF,EIM/APDF").settle;
  CHECK(matrix::run(wrong, {.seed = 5}).outcome == Outcome::direct);
  wrong = cell("EIM/APDF,EIM/APDF");
  wrong.by_itself = true;
  CHECK(matrix::run(wrong, {.seed = 5}).untrue.find("was not needed") != std::string::npos);
}
