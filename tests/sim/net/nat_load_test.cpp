// Large tables: their bounds, and that what expires by the ten thousand is gone at once for all who ask.
#include <catch2/catch_test_macros.hpp>

#include "sim/net/nat_probe.hpp"

namespace pw::net {
namespace {

/// The n-th inner endpoint of a large network, to the n-th of as many remotes.
Packet nth(std::uint32_t n) {
  Packet p;
  p.source = {IpAddress::v4({10, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8),
                             static_cast<std::uint8_t>(n)}), 5000};
  p.destination = {IpAddress::v4({9, 0, 0, 1}), static_cast<std::uint16_t>(1 + n % 60000)};
  return p;
}

TEST_CASE("one address carries every port of its range at once, and then no more, for every allocation") {
  for (const PortAllocation ports : {PortAllocation::preserving, PortAllocation::sequential, PortAllocation::random}) {
    NatOptions o;
    o.ports = ports;
    NatBox box{o, pool({"100.0.0.1"}), Rng{1}};
    const Instant now{1h};
    std::vector<bool> seen(65536);
    for (std::uint32_t n = 0; n < 64512; ++n) {
      Packet p = nth(n);
      REQUIRE(box.from_inside(now, p).way == NatBox::Way::out);
      REQUIRE_FALSE(seen[p.source.port]);
      seen[p.source.port] = true;
    }
    Packet p = nth(64512);
    const auto verdict = box.from_inside(now, p);
    CHECK((verdict.way == NatBox::Way::drop && verdict.reason == Drop::ports_exhausted));
    CHECK(box.mappings(now) == 64512);
  }
}

TEST_CASE("thousands that expire together are gone at once, though they are swept little by little") {
  NatOptions o;
  o.timeout = 30s;
  o.max_mappings = 60000;
  o.filtering = Dependence::endpoint_independent;
  NatBox box{o, pool({"100.0.0.1"}), Rng{1}};
  Instant now{1h};
  for (std::uint32_t n = 0; n < 60000; ++n) {
    Packet p = nth(n);
    REQUIRE(box.from_inside(now, p).way == NatBox::Way::out);
  }
  now += 30s;
  CHECK(box.mappings(now) == 0);
  Packet in = nth(0);
  in.source = at("9.0.0.1:1");
  in.destination = at("100.0.0.1:40000");
  CHECK(box.from_outside(now, in).reason == Drop::no_mapping);
  // The table looked full, and the port of this one was held by one that had expired and that no sweep has reached.
  Packet again = nth(59999);
  again.source.port = 50000;
  CHECK(box.from_inside(now, again).way == NatBox::Way::out);
  CHECK(again.source.to_string() == "100.0.0.1:50000");
  CHECK(box.mappings(now) == 1);
  for (std::uint32_t n = 0; n < 59999; ++n) {
    Packet p = nth(n);
    REQUIRE(box.from_inside(now, p).way == NatBox::Way::out);
  }
  CHECK(box.mappings(now) == 60000);
  Packet p = nth(60001);
  CHECK(box.from_inside(now, p).reason == Drop::table_full);
}

TEST_CASE("one mapping that sends to ever new remotes finds an end to its flows, and older flows go on") {
  NatBox box{{}, pool({"100.0.0.1"}), Rng{1}};
  const Instant now{1h};
  std::uint32_t n = 0;
  const auto send = [&](std::uint32_t to) {
    Packet p;
    p.source = at("10.0.0.2:5000");
    p.destination = {IpAddress::v4({9, static_cast<std::uint8_t>(to >> 16), static_cast<std::uint8_t>(to >> 8),
                                    static_cast<std::uint8_t>(to)}), 80};
    return box.from_inside(now, p);
  };
  while (n < 400000 && send(n).way == NatBox::Way::out) ++n;
  CHECK(n == 262144);
  CHECK(send(n).reason == Drop::table_full);
  CHECK(send(0).way == NatBox::Way::out);
  CHECK(box.mappings(now) == 1);
}

}  // namespace
}  // namespace pw::net
