// The rule of attempts at direct paths complains when it is broken.
#include <catch2/catch_test_macros.hpp>

#include "sim/check/traversals.hpp"
#include "sim/trio.hpp"

using namespace pw;
using namespace pw::sim;
using event::TraversalFailure;
using event::TraversalMethod;
using event::TraversalResult;

namespace {

struct Rule {
  void start() {
    tell(event::TraversalStarted{t.b.id(), {}, TraversalMethod::punch, Family::v4, {}, {}});
  }
  void end(TraversalResult result, TraversalFailure failure) {
    tell(event::TraversalEnded{t.b.id(), result, TraversalMethod::punch, failure, {}, {}, Family::v4, {}, {}});
  }
  void tell(event::Event event) { rule.recorded(t.w.now(), t.a, {t.w.now(), std::move(event)}); }
  bool complains() { return !rule.broken().empty(); }
  Trio t{1};
  const Ground& ground = dynamic_cast<const Ground&>(*t.w.checkers().front());
  Traversals rule{ground};
};

}  // namespace

TEST_CASE("an attempt that starts in another, or ends without a start, is complained of") {
  Rule twice;
  twice.start();
  CHECK_FALSE(twice.complains());
  twice.start();
  CHECK(twice.complains());
  Rule unbegun;
  unbegun.end(TraversalResult::success, TraversalFailure::none);
  CHECK(unbegun.complains());
}

TEST_CASE("what is told of an end is compared with the paths that there are") {
  Rule right;
  right.start();
  right.end(TraversalResult::success, TraversalFailure::none);
  CHECK_FALSE(right.complains());
  Rule contradiction;
  contradiction.start();
  contradiction.end(TraversalResult::success, TraversalFailure::timeout);
  CHECK(contradiction.complains());
  Rule wrong;  // they are connected directly
  wrong.start();
  wrong.end(TraversalResult::failure, TraversalFailure::timeout);
  CHECK(wrong.complains());
}

TEST_CASE("an attempt that does not end is complained of") {
  Rule endless;
  endless.start();
  endless.t.w.run_for(Traversals::kMost - 1s);
  endless.rule.look(endless.t.w);
  CHECK_FALSE(endless.complains());
  endless.t.w.run_for(2s);
  endless.rule.look(endless.t.w);
  CHECK(endless.complains());
}
