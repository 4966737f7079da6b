// What the ends tell each other has one meaning at both, and what one of them does not know is unknown there.
#include <catch2/catch_test_macros.hpp>

#include "nat/exchange.hpp"

using namespace pw;
using namespace pw::nat;

namespace {

Candidate candidate(CandidateKind kind, std::uint8_t last) {
  return {kind, {IpAddress::v4({192, 0, 2, last}), 9470}, Via::own, candidate_priority(kind, Family::v4)};
}

Side side() {
  Side s;
  s.candidates = {candidate(CandidateKind::host, 1), candidate(CandidateKind::port_mapped, 2),
                  candidate(CandidateKind::server_reflexive, 3)};
  event::NatBehaviour& v4 = s.behaviour[0];
  v4.udp = event::Tested::yes;
  v4.mapping = event::NatMapping::address_and_port_dependent;
  v4.mapping_at_least = true;
  v4.filtering = event::NatFiltering::address_dependent;
  v4.allocation = event::PortAllocation::sequential;
  v4.step = -2;
  v4.mapped = SocketAddress{IpAddress::v4({192, 0, 2, 3}), 4711};
  s.behaviour[1].family = Family::v6;
  s.behaviour[1].udp = event::Tested::no;
  s.searches = false;
  return s;
}

}  // namespace

TEST_CASE("a side is told whole, and the other end makes the same plan of it") {
  const Side told = side();
  const Side heard = side_of(to_wire(told));
  CHECK(heard.candidates == told.candidates);
  CHECK(to_wire(heard) == to_wire(told));
  CHECK(heard.behaviour[0].step == -2);
  CHECK(heard.behaviour[0].mapped == told.behaviour[0].mapped);
  CHECK(heard.behaviour[1].udp == event::Tested::no);
  CHECK((heard.predicts && !heard.searches));
  CHECK(plan(heard, side()) == plan(told, side()));
}

TEST_CASE("what this version does not know is unknown, or left out") {
  wire::Candidates message = to_wire(side());
  message.candidates[0].kind = 0;
  message.candidates[1].kind = 4;
  message.nats[0].mapping = 5;
  message.nats[0].filtering = 0xffffffff;
  const Side heard = side_of(message);
  REQUIRE(heard.candidates.size() == 1);
  CHECK(heard.candidates[0].kind == CandidateKind::server_reflexive);
  CHECK(heard.behaviour[0].mapping == event::NatMapping::unknown);
  CHECK(heard.behaviour[0].filtering == event::NatFiltering::unknown);
}

TEST_CASE("a message of a round survives the wire, and one of an unknown kind is none") {
  PunchMessage m{.kind = PunchMessage::Kind::sample, .round = 7, .method = Method::none, .family = Family::v6,
                 .attempt = 2, .first = 40000, .step = -3, .count = 9, .failure = PunchFailure::budget};
  for (const Method method : {Method::punch, Method::prediction, Method::birthday, Method::none}) {
    m.method = method;
    CHECK(punch_of(to_wire(m)) == m);
  }
  for (auto kind : {PunchMessage::Kind::start, PunchMessage::Kind::ready, PunchMessage::Kind::done, PunchMessage::Kind::cancel}) {
    m.kind = kind;
    CHECK(punch_of(to_wire(m)) == m);
  }
  wire::Punch raw = to_wire(m);
  raw.failure = 99;  // of a later version: it is not that somebody asked for it
  CHECK(punch_of(raw)->failure == PunchFailure::coordination);
  raw.kind = 6;
  CHECK_FALSE(punch_of(raw));
  raw.kind = 0;
  CHECK_FALSE(punch_of(raw));
  raw = to_wire(m);
  raw.method = 4;
  CHECK_FALSE(punch_of(raw));
}
