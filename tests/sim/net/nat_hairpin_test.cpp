// From inside to an outer address of the same NAT: RFC 4787 section 6.
#include <catch2/catch_test_macros.hpp>

#include "sim/net/nat_probe.hpp"

namespace pw::net {
namespace {

NatOptions with(Hairpin hairpin, Dependence filtering = Dependence::endpoint_independent) {
  NatOptions o;
  o.hairpin = hairpin;
  o.filtering = filtering;
  return o;
}

TEST_CASE("a NAT without hairpinning drops what goes to its own addresses, and maps nothing for it") {
  NatProbe nat{with(Hairpin::none)};
  nat.out("10.0.0.2:5000", "9.0.0.1:80");
  CHECK(nat.out("10.0.0.3:6000", "100.0.0.1:5000") == "no_hairpin");
  CHECK(nat.box.mappings(nat.now) == 1);
}

TEST_CASE("a hairpinned packet comes from the outer endpoint of its sender, or wrongly from the inner one") {
  for (const Hairpin hairpin : {Hairpin::external_source, Hairpin::internal_source}) {
    NatProbe nat{with(hairpin), {"100.0.0.1", "100.0.0.2"}};
    const std::string outer = nat.out("10.0.0.2:5000", "9.0.0.1:80");
    const std::string seen = nat.out("10.0.0.3:6000", outer);
    const std::string own = nat.box.outer_of(nat.now, at("10.0.0.3:6000"), at(outer)).value().to_string();
    CHECK(own.ends_with(":6000"));
    CHECK(seen == (hairpin == Hairpin::external_source ? own : "10.0.0.3:6000") + " > 10.0.0.2:5000");
  }
}

TEST_CASE("the filter judges a hairpinned packet by its sender's outer endpoint") {
  for (const Hairpin hairpin : {Hairpin::external_source, Hairpin::internal_source})
    for (const Dependence filtering : {Dependence::address_dependent, Dependence::address_and_port_dependent}) {
      NatProbe nat{with(hairpin, filtering)};
      INFO(name(hairpin) << ' ' << name(filtering));
      nat.out("10.0.0.2:5000", "9.0.0.1:80");
      CHECK(nat.out("10.0.0.3:6000", "100.0.0.1:5000") == "filtered");
      // The answer passes: the first packet was dropped behind its sender's own mapping, which it opened.
      CHECK(nat.out("10.0.0.2:5000", "100.0.0.1:6000").ends_with(" > 10.0.0.3:6000"));
      CHECK(nat.out("10.0.0.3:6000", "100.0.0.1:5000").ends_with(" > 10.0.0.2:5000"));
      // Another port of the same outer address: enough for address-dependent filtering only.
      const std::string third = nat.out("10.0.0.4:7000", "100.0.0.1:5000");
      CHECK((third == "filtered") == (filtering == Dependence::address_and_port_dependent));
    }
}

TEST_CASE("a packet that was dropped keeps the source that its sender gave it") {
  NatProbe nat{with(Hairpin::external_source)};
  Packet p = nat.packet("10.0.0.3:6000", "100.0.0.1:5000");
  CHECK(nat.box.from_inside(nat.now, p).way == NatBox::Way::drop);
  CHECK(p.source.to_string() == "10.0.0.3:6000");
}

TEST_CASE("hairpinned packets reach static mappings, and nobody where nothing is mapped") {
  NatProbe nat{with(Hairpin::external_source, Dependence::address_and_port_dependent)};
  REQUIRE(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5555, kNever));
  CHECK(nat.out("10.0.0.3:6000", "100.0.0.1:5555") == "100.0.0.1:6000 > 10.0.0.2:5000");
  CHECK(nat.out("10.0.0.2:5000", "100.0.0.1:6000") == "100.0.0.1:5555 > 10.0.0.3:6000");
  CHECK(nat.out("10.0.0.3:6000", "100.0.0.1:5556") == "no_mapping");
}

}  // namespace
}  // namespace pw::net
