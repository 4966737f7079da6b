// Mapping, filtering, pooling, time-outs: RFC 4787 sections 4 and 5.
#include <catch2/catch_test_macros.hpp>

#include "sim/net/nat_probe.hpp"

namespace pw::net {
namespace {

NatOptions sequential() {
  NatOptions o;
  o.ports = PortAllocation::sequential;  // a port tells which mapping it is
  return o;
}

TEST_CASE("an endpoint-independent mapping shows every remote the same outer endpoint") {
  NatProbe nat{sequential()};
  const std::string first = nat.out("10.0.0.2:5000", "9.0.0.1:80");
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:81") == first);
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.2:80") == first);
  CHECK(nat.out("10.0.0.2:5001", "9.0.0.1:80") != first);
  CHECK(nat.out("10.0.0.3:5000", "9.0.0.1:80") != first);
}

TEST_CASE("an address-dependent mapping changes with the remote's address, not with its port") {
  NatOptions o = sequential();
  o.mapping = Dependence::address_dependent;
  NatProbe nat{o};
  const std::string first = nat.out("10.0.0.2:5000", "9.0.0.1:80");
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:81") == first);
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.2:80") != first);
}

TEST_CASE("an address- and port-dependent mapping changes with the remote's port too") {
  NatOptions o = sequential();
  o.mapping = Dependence::address_and_port_dependent;
  NatProbe nat{o};
  const std::string first = nat.out("10.0.0.2:5000", "9.0.0.1:80");
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == first);
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:81") != first);
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.2:80") != first);
}

TEST_CASE("each filtering lets in whom it names, whatever the mapping is") {
  for (const Dependence mapping : {Dependence::endpoint_independent, Dependence::address_dependent,
                                   Dependence::address_and_port_dependent}) {
    NatOptions o;
    o.mapping = mapping;
    const auto heard = [&](Dependence filtering, std::string_view from) {
      o.filtering = filtering;
      NatProbe nat{o};
      const std::string outer = nat.out("10.0.0.2:5000", "9.0.0.1:80");
      return nat.in(from, outer);
    };
    INFO(name(mapping));
    CHECK(heard(Dependence::endpoint_independent, "9.0.0.9:99") == "10.0.0.2:5000");
    CHECK(heard(Dependence::address_dependent, "9.0.0.9:80") == "filtered");
    CHECK(heard(Dependence::address_dependent, "9.0.0.1:99") == "10.0.0.2:5000");
    CHECK(heard(Dependence::address_and_port_dependent, "9.0.0.1:99") == "filtered");
    CHECK(heard(Dependence::address_and_port_dependent, "9.0.0.1:80") == "10.0.0.2:5000");
  }
}

TEST_CASE("filtering asks what this mapping sent, not what another of the same host sent") {
  NatOptions o;
  o.mapping = Dependence::address_dependent;
  o.filtering = Dependence::address_dependent;
  NatProbe nat{o};
  const std::string to_one = nat.out("10.0.0.2:5000", "9.0.0.1:80");
  nat.out("10.0.0.2:5000", "9.0.0.2:80");
  CHECK(nat.in("9.0.0.2:80", to_one) == "filtered");
}

TEST_CASE("what nothing is mapped to reaches nobody, and neither does an address that is not the box's") {
  NatProbe nat{{}};
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "no_mapping");
  nat.out("10.0.0.2:5000", "9.0.0.1:80");
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5001") == "no_mapping");
  CHECK(nat.in("9.0.0.1:80", "100.0.0.2:5000") == "no_mapping");
}

TEST_CASE("a mapping ends its time-out after the last packet outward, to the nanosecond") {
  NatOptions o;
  o.timeout = 30s;
  NatProbe nat{o};
  nat.out("10.0.0.2:5000", "9.0.0.1:80");
  nat.now += 30s - 1ns;
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "10.0.0.2:5000");
  CHECK(nat.box.mappings(nat.now) == 1);
  nat.out("10.0.0.2:5000", "9.0.0.1:80");  // refreshes
  nat.now += 30s - 1ns;
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "10.0.0.2:5000");
  nat.now += 1ns;
  CHECK(nat.box.mappings(nat.now) == 0);
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "no_mapping");
}

TEST_CASE("packets inward refresh a mapping only where the options say so, and only those that pass the filter") {
  for (const bool refreshes : {false, true}) {
    NatOptions o;
    o.timeout = 30s;
    o.inbound_refreshes = refreshes;
    NatProbe nat{o};
    nat.out("10.0.0.2:5000", "9.0.0.1:80");
    nat.now += 20s;
    CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "10.0.0.2:5000");
    nat.now += 20s;
    CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == (refreshes ? "10.0.0.2:5000" : "no_mapping"));
    nat.now += 20s;
    nat.in("9.0.0.9:80", "100.0.0.1:5000");
    nat.now += 10s;
    CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "no_mapping");
  }
}

TEST_CASE("each remote's leave to send ends by itself while the mapping lives on others") {
  for (const Dependence filtering : {Dependence::address_dependent, Dependence::address_and_port_dependent}) {
    NatOptions o;
    o.timeout = 30s;
    o.filtering = filtering;
    NatProbe nat{o};
    nat.out("10.0.0.2:5000", "9.0.0.1:80");
    nat.now += 20s;
    nat.out("10.0.0.2:5000", "9.0.0.2:80");
    nat.now += 10s;
    CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "filtered");
    CHECK(nat.in("9.0.0.2:80", "100.0.0.1:5000") == "10.0.0.2:5000");
  }
}

TEST_CASE("TCP has its own mappings and its own time-out") {
  NatOptions o;
  o.timeout = 30s;
  o.tcp_timeout = 300s;
  NatProbe nat{o};
  nat.protocol = Protocol::tcp;
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.1:5000");
  nat.protocol = Protocol::udp;
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "no_mapping");
  CHECK(nat.out("10.0.0.3:5000", "9.0.0.1:80") == "100.0.0.1:5000");  // the same port of the other protocol
  CHECK(nat.box.mappings(nat.now) == 2);
  nat.now += 30s;
  CHECK(nat.box.mappings(nat.now) == 1);
  nat.protocol = Protocol::tcp;
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "10.0.0.2:5000");
  nat.now += 270s;
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "no_mapping");
}

TEST_CASE("paired pooling keeps a host to one address; arbitrary pooling does not; both use all of them") {
  for (const Pooling pooling : {Pooling::paired, Pooling::arbitrary}) {
    NatOptions o;
    o.pooling = pooling;
    NatProbe nat{o, {"100.0.0.1", "100.0.0.2", "100.0.0.3"}};
    std::map<std::string, std::size_t> seen;
    bool moved = false;
    for (int host = 1; host <= 30; ++host) {
      std::string before;
      for (int port = 5000; port < 5010; ++port) {
        const std::string inner = "10.0.0." + std::to_string(host) + ":" + std::to_string(port);
        const std::string address = at(nat.out(inner, "9.0.0.1:80")).ip.to_string();
        moved = moved || (!before.empty() && address != before);
        before = address;
        ++seen[address];
      }
    }
    CHECK(seen.size() == 3);
    CHECK(moved == (pooling == Pooling::arbitrary));
  }
}

TEST_CASE("a full table turns new mappings away until one expires, and keeps carrying the old ones") {
  NatOptions o;
  o.max_mappings = 2;
  o.timeout = 30s;
  NatProbe nat{o};
  nat.out("10.0.0.2:5000", "9.0.0.1:80");
  nat.now += 10s;
  nat.out("10.0.0.2:5001", "9.0.0.1:80");
  CHECK(nat.out("10.0.0.2:5002", "9.0.0.1:80") == "table_full");
  CHECK(nat.out("10.0.0.2:5001", "9.0.0.7:80") == "100.0.0.1:5001");
  nat.now += 20s;
  CHECK(nat.out("10.0.0.2:5002", "9.0.0.1:80") == "100.0.0.1:5002");
}

TEST_CASE("reboots and new addresses forget every mapping") {
  NatProbe nat{{}};
  nat.out("10.0.0.2:5000", "9.0.0.1:80");
  REQUIRE(nat.box.map(nat.now, at("10.0.0.2:70"), Protocol::udp, 70, kNever));
  nat.box.reboot();
  CHECK(nat.box.mappings(nat.now) == 0);
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "no_mapping");
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:70") == "no_mapping");
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.1:5000");
  nat.box.change_addresses(pool({"100.0.0.7"}));
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "no_mapping");
  CHECK(nat.in("9.0.0.1:80", "100.0.0.7:5000") == "no_mapping");
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.7:5000");
}

TEST_CASE("IPv6 passes as it is, both ways, and leaves nothing behind") {
  NatProbe nat{{}};
  CHECK(nat.out("[2001:db8::1]:5000", "[2001:db8:1::1]:80") == "[2001:db8::1]:5000");
  CHECK(nat.in("[2001:db8:1::1]:80", "[2001:db8::1]:5000") == "[2001:db8::1]:5000");
  CHECK(nat.box.mappings(nat.now) == 0);
}

TEST_CASE("behind two boxes a packet is translated twice and its answer comes back through both") {
  NatProbe home{{}, {"100.64.0.2"}};
  NatOptions o;
  o.ports = PortAllocation::sequential;
  NatProbe carrier{o, {"11.0.0.1"}};
  const std::string middle = home.out("192.168.0.2:5000", "9.0.0.1:80");
  const std::string outer = carrier.out(middle, "9.0.0.1:80");
  CHECK(middle == "100.64.0.2:5000");
  CHECK(at(outer).ip.to_string() == "11.0.0.1");
  CHECK(carrier.in("9.0.0.1:80", outer) == middle);
  CHECK(home.in("9.0.0.1:80", carrier.in("9.0.0.1:80", outer)) == "192.168.0.2:5000");
  CHECK(carrier.in("9.0.0.2:80", outer) == "filtered");
  // The one that times out first ends the way.
  carrier.now += 119s;
  home.now += 119s;
  home.out("192.168.0.2:5000", "9.0.0.3:80");
  home.now += 1s;
  carrier.now += 1s;
  CHECK(home.box.mappings(home.now) == 1);
  CHECK(carrier.in("9.0.0.1:80", outer) == "no_mapping");
}

}  // namespace
}  // namespace pw::net
