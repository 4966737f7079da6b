// Plans: every cell of the matrix of NATs, its footnotes, what is unknown; and that both ends make the same plan.
#include "nat/plan.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "base/rng.hpp"

namespace pw::nat {
namespace {

using event::NatFiltering;
using event::NatMapping;
using event::PortAllocation;
using event::Tested;

constexpr NatMapping kEim = NatMapping::endpoint_independent;
constexpr NatMapping kAdm = NatMapping::address_dependent;
constexpr NatMapping kApdm = NatMapping::address_and_port_dependent;
constexpr NatFiltering kEif = NatFiltering::endpoint_independent;
constexpr NatFiltering kAdf = NatFiltering::address_dependent;
constexpr NatFiltering kApdf = NatFiltering::address_and_port_dependent;

SocketAddress at(const std::string& text) { return SocketAddress::parse(text).value(); }

/// Behind a NAT of that kind, IPv4 only. `n` tells sides apart; the second is not the initiator.
Side side(unsigned n, NatMapping mapping, NatFiltering filtering = kApdf, PortAllocation ports = PortAllocation::random) {
  Side s;
  event::NatBehaviour& b = s.behaviour[static_cast<std::size_t>(Family::v4)];
  b.udp = Tested::yes;
  b.mapping = mapping;
  b.filtering = filtering;
  b.allocation = ports;
  b.step = ports == PortAllocation::sequential ? 1 : 0;
  b.mapped = at("192.0.2." + std::to_string(n) + ":9470");
  s.candidates = {{CandidateKind::host, at("10.0." + std::to_string(n) + ".2:9470"), Via::own, 2},
                  {CandidateKind::server_reflexive, *b.mapped, Via::own, 1}};
  s.initiator = n == 1;
  return s;
}

/// The columns of the matrix.
Side column(unsigned n, std::size_t i) {
  switch (i) {
    case 0: return side(n, NatMapping::none, kEif);
    case 1: return side(n, kEim, kEif);
    case 2: return side(n, kEim, kAdf);
    case 3: return side(n, kEim);
    case 4: return side(n, kAdm);
    case 5: return side(n, kApdm, kApdf, PortAllocation::sequential);
    case 6: return side(n, kApdm);
    default: break;
  }
  Side s = side(n, NatMapping::unknown, NatFiltering::unknown);
  s.behaviour[0].udp = Tested::no;
  s.behaviour[0].mapped.reset();
  return s;
}

char letter(const Plan& p) { return std::string{"PSBR"}[static_cast<std::size_t>(p.method())]; }

void map_port(Side& s) { s.candidates.push_back({CandidateKind::port_mapped, at("192.0.2.99:20000"), Via::own, 1}); }

}  // namespace

TEST_CASE("the plan for each pair of NATs is the matrix") {
  constexpr std::array<std::string_view, 8> kMatrix{"PPPPPPPR", "PPPPPPPR", "PPPPPPPR", "PPPPBSBR",
                                                    "PPPBRRRR", "PPPSRSRR", "PPPBRRRR", "RRRRRRRR"};
  for (std::size_t a = 0; a < kMatrix.size(); ++a) {
    std::string row;
    for (std::size_t b = 0; b < kMatrix.size(); ++b) row += letter(plan(column(1, a), column(2, b)));
    CHECK(row == kMatrix[a]);
  }
}

TEST_CASE("who is hard and who is easy follows from the NATs; two predictable ends are both hard") {
  const Plan search = plan(column(1, 3), column(2, 6));
  CHECK(search.chosen().local == Role::easy);
  CHECK(search.chosen().remote == Role::hard);
  const Plan duel = plan(column(1, 5), column(2, 5));
  CHECK(duel.chosen().local == Role::hard);
  CHECK(duel.chosen().remote == Role::hard);
  CHECK(duel.chosen().plain == Plain::none);  // the other's outer address of today is nobody's tomorrow
}

TEST_CASE("two hard ends search where one keeps one port for an address and admits all its ports") {
  for (const Side& other : {side(2, kAdm), side(2, kApdm), side(2, kApdm, kApdf, PortAllocation::sequential)}) {
    const Plan p = plan(side(1, kAdm, kAdf), other);
    CHECK(p.method() == Method::birthday);
    CHECK(p.chosen().local == Role::hard);
  }
  CHECK(plan(side(1, kAdm, kAdf), side(2, kAdm, kAdf)).chosen().local == Role::hard);    // the initiator
  CHECK(plan(side(2, kAdm, kAdf), side(1, kAdm, kAdf)).chosen().local == Role::easy);
  CHECK(plan(side(1, kApdm, kAdf), side(2, kApdm, kAdf)).method() == Method::none);
  Side unsure = side(1, kAdm, kAdf);
  unsure.behaviour[0].mapping_at_least = true;
  CHECK(plan(unsure, side(2, kApdm)).why() == Why::infeasible);
}

TEST_CASE("what is not known is punched plainly, or taken for the worst that goes with plain checks") {
  const Side unknown = side(1, NatMapping::unknown, NatFiltering::unknown, PortAllocation::unknown);
  for (std::size_t b = 0; b < 7; ++b) {
    const Plan p = plan(unknown, column(2, b));
    CHECK(p.method() == Method::punch);
    CHECK(p.why() == Why::unknown_behaviour);
  }
  const Plan p = plan(side(1, kEim, NatFiltering::unknown), side(2, kApdm, kApdf, PortAllocation::unknown));
  CHECK(p.method() == Method::birthday);
  CHECK(p.chosen().plain == Plain::all);
}

TEST_CASE("a mapped port is punched from everywhere; behind a hard NAT it waits for the other to send") {
  for (std::size_t b = 0; b < 7; ++b) {
    Side mapped = column(1, 6);
    map_port(mapped);
    const Plan p = plan(mapped, column(2, b));
    CHECK(p.method() == Method::punch);
    CHECK(p.why() == Why::port_mapping);
    CHECK(p.chosen().local_waits);
    CHECK_FALSE(p.chosen().remote_waits);
  }
  Side easy = column(1, 3);
  map_port(easy);
  CHECK_FALSE(plan(easy, column(2, 6)).chosen().local_waits);
  Side one = column(1, 6), two = column(2, 6);
  map_port(one);
  map_port(two);
  CHECK_FALSE(plan(one, two).chosen().local_waits);
  CHECK(plan(one, two).chosen().remote_waits);
  map_port(two);
  Side blocked = column(1, 7);
  map_port(blocked);
  CHECK(plan(blocked, two).why() == Why::udp_blocked);
}

TEST_CASE("hard ends behind one NAT, or with UDP blocked in one LAN, may meet at their inner addresses") {
  Side a = side(1, kApdm), b = side(2, kApdm);
  b.behaviour[0].mapped->ip = a.behaviour[0].mapped->ip;
  CHECK(plan(a, b).why() == Why::same_nat);
  CHECK(plan(a, b).chosen().plain == Plain::hosts);
  a = column(1, 7);
  b = column(2, 0);
  CHECK(plan(a, b).chosen().plain == Plain::none);
  a.candidates[0].address = at("10.0.2.77:9470");
  CHECK(plan(a, b).why() == Why::udp_blocked);
  CHECK(plan(a, b).chosen().plain == Plain::hosts);
}

TEST_CASE("the cheaper family goes first, and later rounds take the other") {
  Side a = column(1, 3), b = column(2, 6);
  for (Side* s : {&a, &b}) {
    event::NatBehaviour& v6 = s->behaviour[static_cast<std::size_t>(Family::v6)];
    v6.mapping = NatMapping::none;
    v6.filtering = kApdf;
    s->candidates.push_back({CandidateKind::host, at(s == &a ? "[2001:db8:1::1]:1" : "[2001:db8:2::1]:1"), Via::own, 3});
  }
  CHECK(plan(a, b).family == Family::v6);
  CHECK(plan(a, b).method() == Method::punch);
  CHECK(plan(a, b, 1).family == Family::v4);
  CHECK(plan(a, b, 1).method() == Method::birthday);
  CHECK(plan(a, b, 2) == plan(a, b));
  a.candidates.clear();
  CHECK(plan(a, b, 3).why() == Why::no_candidates);
}

TEST_CASE("both ends make the same plan, whatever is known of them") {
  Rng rng{7};
  const auto any = [&]<class E>(E) { return static_cast<E>(rng.below(enum_count<E>())); };
  const auto random_side = [&](unsigned n) {
    Side s;
    s.initiator = n == 1;
    for (const Family f : {Family::v4, Family::v6}) {
      event::NatBehaviour& b = s.behaviour[static_cast<std::size_t>(f)];
      b.udp = rng.chance(0.15) ? Tested::no : any(Tested{});
      b.mapping = any(NatMapping{});
      b.filtering = any(NatFiltering{});
      b.allocation = any(PortAllocation{});
      b.mapping_at_least = rng.chance(0.2);
      b.step = rng.chance(0.5) ? 1 : 0;
      const std::string outer = f == Family::v4 ? "192.0.2." : "[2001:db8::";
      const std::string end = f == Family::v4 ? ":1" : "]:1";
      if (rng.chance(0.7)) b.mapped = at(outer + std::to_string(rng.below(3)) + end);
      for (std::uint64_t i = rng.below(4); i > 0; --i)
        s.candidates.push_back({any(CandidateKind{}), at(outer + std::to_string(rng.below(9)) + end), Via::own, 1});
    }
    return s;
  };
  std::array<int, enum_count<Method>()> seen{};
  for (int run = 0; run < 20000; ++run) {
    const Side a = random_side(1), b = random_side(2);
    const auto round = static_cast<unsigned>(rng.below(4));
    const Plan ours = plan(a, b, round);
    ++seen[static_cast<std::size_t>(ours.method())];
    REQUIRE(ours == plan(b, a, round).mirrored());
    REQUIRE_FALSE((ours.chosen().local_waits && ours.chosen().remote_waits));
    REQUIRE_FALSE(describe(ours.why()).empty());
    if (ours.method() == Method::birthday) REQUIRE((ours.chosen().local == Role::hard) != (ours.chosen().remote == Role::hard));
  }
  for (const int n : seen) CHECK(n > 10);
}

TEST_CASE("who is waited for: mapped ports, machines on the internet, and those beside us; never what needs punching") {
  const Side a = side(1, kEim);
  const Side b = side(2, kEim);
  const auto open = [&](CandidateKind kind, const char* address, const Side& local, const Side& remote) {
    return likely_open({kind, at(address), Via::own, 1}, local, remote);
  };
  CHECK(open(CandidateKind::port_mapped, "10.9.9.9:1", a, b));
  CHECK(open(CandidateKind::host, "8.8.8.8:1", a, b));
  CHECK(open(CandidateKind::host, "10.0.1.77:1", a, b));        // a's own network is 10.0.1.0/24, by the looks
  CHECK_FALSE(open(CandidateKind::host, "10.0.2.2:1", a, b));
  CHECK_FALSE(open(CandidateKind::server_reflexive, "8.8.8.8:1", a, b));
  CHECK_FALSE(open(CandidateKind::host, "[fd00::1]:1", a, b));
  CHECK(open(CandidateKind::host, "[2600::1]:1", a, b));
  Side beside = b;
  beside.behaviour[0].mapped->ip = a.behaviour[0].mapped->ip;   // one NAT
  CHECK(open(CandidateKind::host, "10.0.2.2:1", a, beside));
}

}  // namespace pw::nat
