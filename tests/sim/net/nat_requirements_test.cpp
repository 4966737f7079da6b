#include <catch2/catch_test_macros.hpp>

#include "sim/net/nat.hpp"

namespace pw::net {
namespace {

/// Their numbers alone.
std::string broken(const NatOptions& options, std::size_t pool = 1) {
  std::string numbers;
  for (const std::string& line : broken_requirements(options, pool)) {
    REQUIRE(line.find(": ") != std::string::npos);
    numbers += (numbers.empty() ? "" : " ") + line.substr(0, line.find(':'));
  }
  return numbers;
}

NatOptions good() {
  NatOptions o;
  o.filtering = Dependence::endpoint_independent;
  return o;
}

TEST_CASE("a NAT that behaves breaks nothing, whichever of the allowed behaviours it has") {
  CHECK(broken(good()).empty());
  NatOptions o = good();
  o.filtering = Dependence::address_dependent;
  o.ports = PortAllocation::random;
  o.inbound_refreshes = true;
  o.timeout = 120s;
  o.first_port = 1024;
  CHECK(broken(o, 4).empty());
}

TEST_CASE("each requirement is missed by the option that breaks it, and by no other") {
  NatOptions o = good();
  o.mapping = Dependence::address_dependent;
  CHECK(broken(o) == "REQ-1");
  o.mapping = Dependence::address_and_port_dependent;
  CHECK(broken(o) == "REQ-1");
  o = good();
  o.pooling = Pooling::arbitrary;
  CHECK(broken(o, 2) == "REQ-2");
  CHECK(broken(o, 1).empty());
  o = good();
  o.first_port = 1023;
  CHECK(broken(o) == "REQ-3a");
  o = good();
  o.timeout = 120s - 1ns;
  CHECK(broken(o) == "REQ-5");
  o = good();
  o.filtering = Dependence::address_and_port_dependent;
  CHECK(broken(o) == "REQ-8");
  o = good();
  o.hairpin = Hairpin::none;
  CHECK(broken(o) == "REQ-9");
  o.hairpin = Hairpin::internal_source;
  CHECK(broken(o) == "REQ-9a");
  o = good();
  o.input_accepts = true;
  CHECK(broken(o) == "REQ-11");
}

TEST_CASE("a symmetric NAT of a careless carrier breaks them all, in their order") {
  NatOptions o;
  o.mapping = Dependence::address_and_port_dependent;
  o.filtering = Dependence::address_and_port_dependent;
  o.pooling = Pooling::arbitrary;
  o.hairpin = Hairpin::none;
  o.timeout = 30s;
  o.first_port = 1;
  CHECK(broken(o, 8) == "REQ-1 REQ-2 REQ-3a REQ-5 REQ-8 REQ-9");
  o.mapping = Dependence::address_dependent;
  o.input_accepts = true;
  CHECK(broken(o, 8) == "REQ-1 REQ-2 REQ-3a REQ-5 REQ-8 REQ-9 REQ-11");
}

}  // namespace
}  // namespace pw::net
