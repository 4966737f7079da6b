// Candidates: priorities, addresses that may never be one, pruning, bounds.
#include "nat/candidate.hpp"

#include <catch2/catch_test_macros.hpp>

namespace pw::nat {
namespace {

SocketAddress at(const char* text) { return SocketAddress::parse(text).value(); }
IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

Candidate candidate(const char* text, std::uint32_t priority = 1, CandidateKind kind = CandidateKind::host) {
  return {kind, at(text), Via::own, priority};
}

}  // namespace

TEST_CASE("candidate priorities are those of RFC 8445, IPv6 first among equals") {
  // Section 5.1.2.1: 2^24 (type) + 2^8 (local) + 256 − component.
  CHECK(candidate_priority(CandidateKind::host, Family::v6) == (126U << 24 | 65535U << 8 | 255U));
  CHECK(candidate_priority(CandidateKind::host, Family::v4) == (126U << 24 | 65534U << 8 | 255U));
  CHECK(candidate_priority(CandidateKind::relayed, Family::v4, 40000) == 255U);
  std::uint32_t last = UINT32_MAX;
  for (const CandidateKind kind : {CandidateKind::host, CandidateKind::peer_reflexive, CandidateKind::port_mapped,
                                   CandidateKind::server_reflexive, CandidateKind::relayed}) {
    for (const unsigned order : {0U, 1U})
      for (const Family family : {Family::v6, Family::v4}) {
        const std::uint32_t priority = candidate_priority(kind, family, order);
        CHECK(priority < last);
        last = priority;
      }
  }
}

TEST_CASE("addresses that nobody can have outside, or that are not one host's, are no candidates") {
  const auto why = [](const char* text) { return refusal_of(at(text)); };
  CHECK(why("192.0.2.7:9470") == Refusal::none);
  CHECK(why("10.0.0.1:9470") == Refusal::none);
  CHECK(why("[2001:db8::7]:9470") == Refusal::none);
  CHECK(why("[fd00::7]:9470") == Refusal::none);
  CHECK(refusal_of({ip("192.0.2.7"), 0}) == Refusal::no_port);
  CHECK(why("0.0.0.0:1") == Refusal::unspecified);
  CHECK(why("0.1.2.3:1") == Refusal::unspecified);
  CHECK(why("[::]:1") == Refusal::unspecified);
  CHECK(why("127.0.0.53:1") == Refusal::loopback);
  CHECK(why("[::1]:1") == Refusal::loopback);
  CHECK(why("224.0.0.251:5353") == Refusal::multicast);
  CHECK(why("[ff02::fb]:5353") == Refusal::multicast);
  CHECK(why("255.255.255.255:1") == Refusal::broadcast);
  CHECK(why("169.254.1.1:1") == Refusal::link_local);
  CHECK(why("[fe80::1]:1") == Refusal::link_local);
  CHECK(why("240.0.0.1:1") == Refusal::reserved);
  CHECK(why("255.0.0.1:1") == Refusal::reserved);
  CHECK(why("[::ffff:127.0.0.1]:1") == Refusal::reserved);
  CHECK(why("[::192.0.2.1]:1") == Refusal::reserved);
  CHECK(why("[fec0::1]:1") == Refusal::reserved);
}

TEST_CASE("this node itself and its gateway are no targets, another port of its outer address is") {
  const Surroundings around{{ip("10.0.0.2")}, {at("192.0.2.1:9470")}, {ip("10.0.0.1")}};
  CHECK(refusal_of(at("10.0.0.2:9471"), around) == Refusal::own);
  CHECK(refusal_of(at("192.0.2.1:9470"), around) == Refusal::own);
  CHECK(refusal_of(at("192.0.2.1:9471"), around) == Refusal::none);
  CHECK(refusal_of(at("10.0.0.1:53"), around) == Refusal::gateway);
  CandidateList ours;
  CHECK(ours.add_own(candidate("10.0.0.2:9470"), around) == Refusal::none);
  CHECK(ours.add_own(candidate("10.0.0.1:9470"), around) == Refusal::gateway);
  CandidateList theirs;
  CHECK(theirs.add_theirs(candidate("10.0.0.2:9470"), around) == Refusal::own);
  CHECK(theirs.all().empty());
}

TEST_CASE("of two candidates with one address and base the better one stays, and the list is in order") {
  CandidateList list;
  CHECK(list.add_own(candidate("192.0.2.1:1", 5), {}) == Refusal::none);
  CHECK(list.add_own(candidate("192.0.2.2:1", 9), {}) == Refusal::none);
  CHECK(list.add_own(candidate("192.0.2.3:1", 5), {}) == Refusal::none);
  CHECK(list.add_own(candidate("192.0.2.1:1", 5), {}) == Refusal::duplicate);
  CHECK(list.add_own(candidate("192.0.2.1:1", 7, CandidateKind::server_reflexive), {}) == Refusal::none);
  REQUIRE(list.all().size() == 3);
  CHECK(list.all()[0].address == at("192.0.2.2:1"));
  CHECK(list.all()[1].kind == CandidateKind::server_reflexive);
  CHECK(list.all()[2].address == at("192.0.2.3:1"));
}

TEST_CASE("a peer's base is not ours, and its seventeenth candidate is not taken") {
  CandidateList list;
  for (unsigned i = 0; i < kMaxCandidates + 4; ++i) {
    Candidate c = candidate("192.0.2.1:1", i);
    c.address.port = static_cast<std::uint16_t>(1000 + i);
    c.base = Via{i};
    CHECK(list.add_theirs(c, {}) == (i < kMaxCandidates ? Refusal::none : Refusal::too_many));
  }
  CHECK(list.all().size() == kMaxCandidates);
  for (const Candidate& c : list.all()) CHECK(c.base == Via::own);
}

}  // namespace pw::nat
