// A router whose own input accepts: what comes in first takes the outer endpoint from the flow that is about to begin.
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "sim/net/nat_probe.hpp"

namespace pw::net {
namespace {

NatOptions accepting(Dependence mapping = Dependence::endpoint_independent) {
  NatOptions o;
  o.input_accepts = true;
  o.mapping = mapping;
  return o;
}
constexpr auto kStun = "9.0.0.1:3478";
constexpr auto kPeer = "9.0.0.2:9470";

TEST_CASE("an early probe to a mapped port makes the flow to its sender leave by another, unforeseeable port") {
  NatProbe nat{accepting()};
  CHECK(nat.out("10.0.0.2:5000", kStun) == "100.0.0.1:5000");
  CHECK(nat.in(kPeer, "100.0.0.1:5000") == "filtered");
  CHECK_FALSE(nat.box.outer_of(nat.now, at("10.0.0.2:5000"), at(kPeer)));
  const std::string stolen = nat.out("10.0.0.2:5000", kPeer);
  CHECK(nat.out("10.0.0.2:5000", kPeer) == stolen);
  CHECK(nat.in(kPeer, stolen) == "10.0.0.2:5000");
  CHECK(nat.in(kPeer, "100.0.0.1:5000") == "no_mapping");  // the router's own
  std::set<std::string> ports;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    NatProbe other{accepting(), {"100.0.0.1"}, seed};
    other.in(kPeer, "100.0.0.1:5000");
    ports.insert(other.out("10.0.0.2:5000", kPeer));
  }
  CHECK(ports.size() > 15);
  CHECK_FALSE(ports.contains("100.0.0.1:5001"));
}

TEST_CASE("after a theft, flows under way stay where they are, and new ones follow the stolen one") {
  NatProbe nat{accepting()};
  nat.out("10.0.0.2:5000", kStun);
  nat.in(kPeer, "100.0.0.1:5000");
  const std::string stolen = nat.out("10.0.0.2:5000", kPeer);
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.2:9471") == stolen);
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.3:9470") == stolen);
  CHECK(nat.out("10.0.0.2:5000", kStun) == "100.0.0.1:5000");
  CHECK(nat.in(kStun, "100.0.0.1:5000") == "10.0.0.2:5000");
}

TEST_CASE("who probes the newest mapping first is served by an older one, and all are once the newest has expired") {
  NatProbe nat{accepting()};
  nat.out("10.0.0.2:5000", kStun);
  nat.in(kPeer, "100.0.0.1:5000");
  const std::string stolen = nat.out("10.0.0.2:5000", kPeer);
  CHECK(nat.in("9.0.0.4:1", stolen) == "filtered");
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.4:1") == "100.0.0.1:5000");
  nat.now += 100s;
  nat.out("10.0.0.2:5000", kStun);
  nat.now += 100s;
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.5:1") == "100.0.0.1:5000");
}

TEST_CASE("a first packet from inside keeps its endpoint: the same probe then belongs to the mapping") {
  NatProbe nat{accepting()};
  nat.out("10.0.0.2:5000", kStun);
  CHECK(nat.out("10.0.0.2:5000", kPeer) == "100.0.0.1:5000");
  CHECK(nat.in(kPeer, "100.0.0.1:5000") == "10.0.0.2:5000");
  CHECK(nat.out("10.0.0.2:5000", kPeer) == "100.0.0.1:5000");
}

TEST_CASE("an early probe to a port that nothing has yet takes it from the flow to its sender and its mapping") {
  for (const Dependence mapping : {Dependence::endpoint_independent, Dependence::address_dependent,
                                   Dependence::address_and_port_dependent}) {
    INFO(name(mapping));
    NatProbe nat{accepting(mapping)};
    CHECK(nat.in(kPeer, "100.0.0.1:5000") == "no_mapping");
    const std::string stolen = nat.out("10.0.0.2:5000", kPeer);
    CHECK(stolen != "100.0.0.1:5000");
    const bool shared = mapping == Dependence::endpoint_independent;
    CHECK(nat.out("10.0.0.2:5000", kStun) == (shared ? stolen : "100.0.0.1:5000"));
  }
}

TEST_CASE("a router that drops what is for itself keeps no trace of an early probe") {
  NatProbe nat{{}};
  nat.out("10.0.0.2:5000", kStun);
  CHECK(nat.in(kPeer, "100.0.0.1:5000") == "filtered");
  CHECK(nat.out("10.0.0.2:5000", kPeer) == "100.0.0.1:5000");
  CHECK(nat.in(kPeer, "100.0.0.1:5000") == "10.0.0.2:5000");
}

TEST_CASE("the theft ends when the prober is silent for the tracking time, and further probes prolong it") {
  NatProbe nat{accepting()};
  nat.out("10.0.0.2:5000", kStun);
  nat.in(kPeer, "100.0.0.1:5000");
  nat.now += 29s;
  nat.in(kPeer, "100.0.0.1:5000");
  nat.now += 29s;
  CHECK_FALSE(nat.box.outer_of(nat.now, at("10.0.0.2:5000"), at(kPeer)));
  nat.now += 1s;
  CHECK(nat.out("10.0.0.2:5000", kPeer) == "100.0.0.1:5000");
}

TEST_CASE("a mapping that strangers keep alive carries its remote again, though that flow has expired") {
  NatOptions o = accepting();
  o.filtering = Dependence::endpoint_independent;
  o.inbound_refreshes = true;
  o.timeout = 60s;
  NatProbe nat{o};
  nat.in(kPeer, "100.0.0.1:7000");
  const std::string stolen = nat.out("10.0.0.2:7000", kPeer);
  CHECK(stolen != "100.0.0.1:7000");
  nat.now += 50s;
  CHECK(nat.in(kStun, stolen) == "10.0.0.2:7000");
  nat.now += 20s;
  CHECK(nat.out("10.0.0.2:7000", kPeer) == stolen);
}

TEST_CASE("other remotes, ports and protocols of the prober are not affected") {
  NatProbe nat{accepting()};
  nat.out("10.0.0.2:5000", kStun);
  nat.in(kPeer, "100.0.0.1:5000");
  nat.in(kPeer, "100.0.0.1:6000");
  CHECK(nat.out("10.0.0.2:7000", kPeer) == "100.0.0.1:7000");
  CHECK(nat.out("10.0.0.2:6000", "9.0.0.3:9470") == "100.0.0.1:6000");
  nat.protocol = Protocol::tcp;
  CHECK(nat.out("10.0.0.2:5000", kPeer) == "100.0.0.1:5000");
}

TEST_CASE("a prober that tracked every port leaves none for flows to itself") {
  NatOptions o = accepting();
  o.first_port = 2000;
  o.last_port = 2049;
  NatProbe nat{o};
  for (int port = 2000; port < 2050; ++port) nat.in(kPeer, "100.0.0.1:" + std::to_string(port));
  CHECK(nat.out("10.0.0.2:2000", kPeer) == "ports_exhausted");
  CHECK(nat.out("10.0.0.2:2000", kStun) == "100.0.0.1:2000");
}

TEST_CASE("a flood of probes from ever new endpoints finds an end to what is tracked") {
  NatOptions o = accepting();
  o.input_tracking = 1h;
  NatProbe nat{o};
  Packet p = nat.packet("9.0.0.0:1", "100.0.0.1:5000");
  const auto probe = [&](std::uint32_t n) {
    p.source = {IpAddress::v4({9, 9, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}),
                static_cast<std::uint16_t>(1000 + (n >> 16))};
    p.destination = at("100.0.0.1:5000");
    return nat.box.from_outside(nat.now, p).way;
  };
  for (std::uint32_t n = 0; n < 70000; ++n) REQUIRE(probe(n) == NatBox::Way::drop);
  CHECK(nat.out("10.0.0.9:5000", "9.9.0.0:1000") != "100.0.0.1:5000");
  CHECK(nat.out("10.0.0.3:5000", "9.9.17.111:1001") == "100.0.0.1:5000");  // 69999: no room was left for it
}

}  // namespace
}  // namespace pw::net
