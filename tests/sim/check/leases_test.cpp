#include "sim/check/leases.hpp"

#include <catch2/catch_test_macros.hpp>

#include "sim/check/tampered.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

std::unique_ptr<Checker> leases(const World&, const Ground& g) { return std::make_unique<Leases>(g); }

event::Answer fails(event::CommandError code, const char* why) {
  return tl::unexpected(event::CommandFailure{code, why});
}

}  // namespace

TEST_CASE("of two measurements at once the second is refused, and rightly") {
  TamperedPair p{leases};
  p.run(5s);
  p.a.command(event::MeasureBandwidth{p.b.id(), 100'000, 1s});
  const auto second = p.a.command(event::MeasureBandwidth{p.b.id(), 100'000, 1s});
  const auto crossing = p.b.command(event::MeasureBandwidth{p.a.id(), 100'000, 1s});
  p.run(30s);
  CHECK(p.a.answers.at(second).error().code == event::CommandError::busy);
  CHECK(p.b.answers.at(crossing).error().code == event::CommandError::refused);
  CHECK(p.tales.complaint().empty());
  CHECK(p.w.verdict().empty());
}

TEST_CASE("a lease that nobody has is complained of, at this end and at the other") {
  for (const bool here : {true, false}) {
    TamperedPair p{leases};
    p.run(5s);
    p.a.command(event::MeasureBandwidth{p.b.id(), 100'000, 1s});
    p.run(10s);
    p.tales.on_answer = [here](const event::Answer&) {
      return here ? fails(event::CommandError::busy, "another bandwidth measurement runs on this node")
                  : fails(event::CommandError::refused, "the peer is busy with another measurement");
    };
    p.a.command(event::MeasureBandwidth{p.b.id(), 100'000, 1s});
    p.run(10s);
    CHECK(p.tales.complaint().empty());  // the first may have left something
    p.run(30s);
    p.a.command(event::MeasureBandwidth{p.b.id(), 100'000, 1s});
    p.run(10s);
    CHECK(p.complains_of("but there is none"));
  }
}
