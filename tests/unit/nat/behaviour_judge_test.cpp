// What observations of a NAT mean, case by case.
#include "nat/behaviour_judge.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::nat;
using event::NatMapping;
using event::PortAllocation;

namespace {

SocketAddress at(const char* text) { return SocketAddress::parse(text).value(); }

// Places of two servers: the first has two addresses and ports.
const SocketAddress kA = at("192.0.2.1:3478");
const SocketAddress kAOtherPort = at("192.0.2.1:3479");
const SocketAddress kAOtherPlace = at("192.0.2.2:3479");
const SocketAddress kB = at("198.51.100.1:3478");
const SocketAddress kC = at("203.0.113.1:3478");

SocketAddress port(std::uint16_t p) { return {IpAddress::v4({11, 0, 0, 1}), p}; }

MappingVerdict judge(const std::vector<Sight>& sights) { return judge_mapping(sights, {at("10.0.0.2:9470")}); }

AllocationVerdict ports(const std::vector<int>& outer, std::vector<bool> at_once = {}) {
  std::vector<PortSample> samples;
  for (std::size_t i = 0; i < outer.size(); ++i)
    samples.push_back({static_cast<std::uint16_t>(40000 + 977 * i), port(static_cast<std::uint16_t>(outer[i])),
                       at_once.empty() || at_once[i]});
  return judge_allocation(samples);
}

}  // namespace

TEST_CASE("mapping follows from which places see the same") {
  struct Row {
    std::vector<Sight> sights;
    NatMapping mapping;
    bool at_least;
    double agreement;
  };
  const Row rows[] = {
      {{{0, kA, port(1)}, {0, kAOtherPort, port(1)}, {0, kAOtherPlace, port(1)}}, NatMapping::endpoint_independent, false, 1},
      {{{0, kA, port(1)}, {0, kAOtherPort, port(1)}, {0, kAOtherPlace, port(2)}}, NatMapping::address_dependent, false, 1},
      {{{0, kA, port(1)}, {0, kAOtherPort, port(2)}, {0, kAOtherPlace, port(3)}},
       NatMapping::address_and_port_dependent, false, 1},
      {{{0, kA, port(1)}, {1, kB, port(1)}}, NatMapping::endpoint_independent, false, 1},
      {{{0, kA, port(1)}, {1, kB, port(2)}}, NatMapping::address_dependent, true, 1},
      {{{0, kA, port(1)}, {0, kAOtherPort, port(2)}}, NatMapping::address_and_port_dependent, false, 1},
      {{{0, kA, port(1)}, {0, kAOtherPort, port(1)}}, NatMapping::unknown, false, 1},
      {{{0, kA, port(1)}}, NatMapping::unknown, false, 1},
      {{}, NatMapping::unknown, false, 1},
      {{{0, kA, at("10.0.0.2:9470")}}, NatMapping::none, false, 1},
      {{{0, kA, at("10.0.0.2:9471")}}, NatMapping::unknown, false, 1},
      // Contradictions: two against one, one against one with two addresses, one against one.
      {{{0, kA, port(1)}, {1, kB, port(1)}, {2, kC, port(2)}}, NatMapping::endpoint_independent, false, 2.0 / 3},
      {{{0, kA, port(7)}, {0, kAOtherPlace, port(7)}, {1, kB, port(1)}}, NatMapping::endpoint_independent, false, 0.5},
      {{{0, kA, port(7)}, {0, kAOtherPlace, port(8)}, {1, kB, port(7)}}, NatMapping::unknown, false, 0},
      {{{0, kA, at("10.0.0.2:9470")}, {0, kAOtherPlace, at("10.0.0.2:9470")}, {1, kB, port(2)}},
       NatMapping::none, false, 0.5},
  };
  for (const Row& row : rows) {
    const MappingVerdict v = judge(row.sights);
    INFO("row " << &row - rows << ": " << name(v.mapping) << " " << v.doubt);
    CHECK(v.mapping == row.mapping);
    CHECK(v.at_least == row.at_least);
    CHECK(v.agreement == row.agreement);
    CHECK(v.doubt.empty() == (row.mapping != NatMapping::unknown && !row.at_least && row.agreement == 1));
  }
}

TEST_CASE("an address that differs is another mapping, whatever the port") {
  const Sight other_address{1, kB, {IpAddress::v4({11, 0, 0, 2}), 1}};
  CHECK(judge({{0, kA, port(1)}, other_address}).mapping == NatMapping::address_dependent);
}

TEST_CASE("a step is found in both directions, through neighbours' flows, repeats and a wrap") {
  CHECK(ports({100, 101, 102, 103, 104, 105}).step == 1);
  CHECK(ports({100, 98, 96, 94, 92, 90}).step == -2);
  CHECK(ports({100, 107, 121, 128, 135, 142}).step == 7);
  CHECK(ports({65530, 65533, 1024, 1027, 1030, 1033}).step == 3);
  CHECK(ports({100, 104, 108, 112, 118, 122}).step == 2);
  // The second and fourth were made at a repeat, after the others: they tell nothing of the order, but of the step.
  const AllocationVerdict repeated = ports({100, 110, 104, 112, 106, 108}, {true, false, true, false, true, true});
  CHECK(repeated.allocation == PortAllocation::sequential);
  CHECK(repeated.step == 2);
  CHECK(ports({100, 106, 104, 107, 108, 112}, {true, false, true, false, true, true}).step == 1);
}

TEST_CASE("ports without an order are random, also inside a small block") {
  for (const auto& p : {std::vector{40000, 1100, 30000, 62000, 2222, 5000}, std::vector{100, 180, 130, 110, 170, 120}}) {
    const AllocationVerdict v = ports(p);
    CHECK(v.allocation == PortAllocation::random);
    CHECK(v.step == 0);
  }
}

TEST_CASE("ports are preserved if three in four are") {
  const auto outer = [](unsigned kept) {
    std::vector<PortSample> samples;
    for (unsigned i = 0; i < 8; ++i) {
      const auto inner = static_cast<std::uint16_t>(40000 + 1000 * i);
      samples.push_back({inner, port(static_cast<std::uint16_t>(i < kept ? inner : 2000 * (i * 5 % 8) + 77)), true});
    }
    return judge_allocation(samples).allocation;
  };
  CHECK(outer(8) == PortAllocation::preserving);
  CHECK(outer(6) == PortAllocation::preserving);
  CHECK(outer(5) == PortAllocation::random);
}

TEST_CASE("too few samples tell nothing") {
  CHECK(ports({}).allocation == PortAllocation::unknown);
  CHECK(ports({100, 101, 102}).allocation == PortAllocation::unknown);
  CHECK(ports({100, 101, 102, 103, 104}, {true, true, true, false, false}).allocation == PortAllocation::unknown);
  CHECK(ports({100, 101, 102}).doubt == "port allocation: too few new mappings were answered at once");
}
