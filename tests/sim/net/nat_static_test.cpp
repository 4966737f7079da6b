// Static mappings: open to everybody, outward only for answers.
#include <catch2/catch_test_macros.hpp>

#include "sim/net/nat_probe.hpp"

namespace pw::net {
namespace {

TEST_CASE("everybody reaches a static mapping, whatever the filtering is, until it expires") {
  NatProbe nat{{}};
  const auto outer = nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5555, nat.now + 60s);
  REQUIRE(outer == at("100.0.0.1:5555"));
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5555") == "10.0.0.2:5000");
  CHECK(nat.in("9.0.0.2:81", "100.0.0.1:5555") == "10.0.0.2:5000");
  nat.protocol = Protocol::tcp;
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5555") == "no_mapping");
  nat.protocol = Protocol::udp;
  nat.now += 60s - 1ns;
  CHECK(nat.in("9.0.0.3:80", "100.0.0.1:5555") == "10.0.0.2:5000");
  nat.now += 1ns;
  CHECK(nat.in("9.0.0.3:80", "100.0.0.1:5555") == "no_mapping");
  CHECK(nat.box.mappings(nat.now) == 0);
}

TEST_CASE("what its host sends first leaves from another port; an answer leaves from the mapped one") {
  for (const Dependence mapping : {Dependence::endpoint_independent, Dependence::address_and_port_dependent}) {
    NatOptions o;
    o.mapping = mapping;
    NatProbe nat{o};
    REQUIRE(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5555, kNever));
    CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.1:5000");
    nat.in("9.0.0.2:80", "100.0.0.1:5555");
    CHECK(nat.out("10.0.0.2:5000", "9.0.0.2:80") == "100.0.0.1:5555");
    CHECK(nat.box.outer_of(nat.now, at("10.0.0.2:5000"), at("9.0.0.2:80")) == at("100.0.0.1:5555"));
    CHECK(nat.out("10.0.0.2:5000", "9.0.0.2:81") != "100.0.0.1:5555");
    // A flow that is under way stays where it is.
    CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5555") == "10.0.0.2:5000");
    CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.1:5000");
  }
}

TEST_CASE("what preserves ports for all remotes lets a mapped host speak first from its port, too") {
  NatProbe nat{{}};
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.1:5000");
  // Its own dynamic mapping is not in the way: it becomes the static one, and its flows go on.
  REQUIRE(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5000, nat.now + 60s) == at("100.0.0.1:5000"));
  CHECK(nat.box.mappings(nat.now) == 1);
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.1:5000");
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.3:80") == "100.0.0.1:5000");
  CHECK(nat.in("9.0.0.9:80", "100.0.0.1:5000") == "10.0.0.2:5000");
  CHECK(nat.out("10.0.0.3:5000", "9.0.0.1:80") == "100.0.0.1:5001");
  nat.now += 60s;
  CHECK(nat.in("9.0.0.9:80", "100.0.0.1:5000") == "no_mapping");
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.3:80") == "100.0.0.1:5000");
}

TEST_CASE("a host that a NAT gives a port for each remote does not speak first from its mapped one") {
  NatOptions o;
  o.mapping = Dependence::address_and_port_dependent;
  NatProbe nat{o};
  REQUIRE(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5000, kNever));
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.1:5001");
}

TEST_CASE("an answering flow ends its time-out after the last packet of either way") {
  NatOptions o;
  o.timeout = 30s;
  NatProbe nat{o};
  REQUIRE(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5555, kNever));
  nat.in("9.0.0.2:80", "100.0.0.1:5555");
  nat.now += 20s;
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.2:80") == "100.0.0.1:5555");
  nat.now += 20s;
  nat.in("9.0.0.2:80", "100.0.0.1:5555");
  nat.now += 29s;
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.2:80") == "100.0.0.1:5555");
  nat.now += 30s;
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.2:80") == "100.0.0.1:5000");
}

TEST_CASE("another port is given where the wanted one is taken, and any where none is wanted") {
  NatProbe nat{{}};
  nat.out("10.0.0.3:5555", "9.0.0.1:80");
  CHECK(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5555, kNever) == at("100.0.0.1:5556"));
  CHECK(nat.box.map(nat.now, at("10.0.0.2:6000"), Protocol::udp, 0, kNever) == at("100.0.0.1:6000"));
  CHECK(nat.box.map(nat.now, at("10.0.0.2:80"), Protocol::udp, 443, kNever) == at("100.0.0.1:443"));
  CHECK(nat.box.map(nat.now, at("10.0.0.3:80"), Protocol::udp, 443, kNever) == at("100.0.0.1:1024"));
  nat.box.unmap(at("10.0.0.2:80"), Protocol::udp);
  CHECK(nat.box.map(nat.now, at("10.0.0.4:80"), Protocol::udp, 443, kNever) == at("100.0.0.1:443"));
  CHECK(nat.out("10.0.0.4:443", "9.0.0.1:80") != "100.0.0.1:443");  // no dynamic mapping lies there
}

TEST_CASE("mapping the same inner endpoint again only moves its end, also nearer") {
  NatProbe nat{{}};
  const auto first = nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5000, nat.now + 60s);
  CHECK(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 7777, nat.now + 90s) == first);
  nat.now += 80s;
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "10.0.0.2:5000");
  CHECK(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5000, nat.now + 5s) == first);
  nat.now += 5s;
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "no_mapping");
}

TEST_CASE("unmapping ends a static mapping and the flows on it, and no other") {
  NatProbe nat{{}};
  REQUIRE(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5000, kNever));
  REQUIRE(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::tcp, 5000, kNever));
  nat.in("9.0.0.1:80", "100.0.0.1:5000");
  nat.box.unmap(at("10.0.0.2:5000"), Protocol::udp);
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "no_mapping");
  // The port is free again, and the new mapping on it has not sent to that remote.
  CHECK(nat.out("10.0.0.3:5000", "9.0.0.2:80") == "100.0.0.1:5000");
  CHECK(nat.in("9.0.0.1:80", "100.0.0.1:5000") == "filtered");
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.1:5001");
  CHECK(nat.box.mappings(nat.now) == 3);
}

TEST_CASE("static mappings take room in the table, and find none when it is full") {
  NatOptions o;
  o.max_mappings = 2;
  NatProbe nat{o};
  REQUIRE(nat.box.map(nat.now, at("10.0.0.2:5000"), Protocol::udp, 5000, kNever));
  nat.out("10.0.0.2:6000", "9.0.0.1:80");
  CHECK_FALSE(nat.box.map(nat.now, at("10.0.0.2:5001"), Protocol::udp, 5001, kNever));
  CHECK(nat.out("10.0.0.2:6001", "9.0.0.1:80") == "table_full");
}

TEST_CASE("they lie on the first address of the pool") {
  NatProbe nat{{}, {"100.0.0.1", "100.0.0.2"}};
  for (int i = 1; i < 9; ++i) {
    const SocketAddress inner{IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(i)}), 5000};
    CHECK(nat.box.map(nat.now, inner, Protocol::udp, 0, kNever).value().ip.to_string() == "100.0.0.1");
  }
}

}  // namespace
}  // namespace pw::net
