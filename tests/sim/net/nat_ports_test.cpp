// Outer ports: RFC 4787 section 4.2.
#include "sim/net/nat_ports.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "sim/net/nat_probe.hpp"

namespace pw::net {
namespace {

std::uint16_t port_of(const std::string& endpoint) { return at(endpoint).port; }
std::string host(int n) { return "10.0." + std::to_string(n / 250) + "." + std::to_string(1 + n % 250); }

TEST_CASE("a port set answers as a std::set does") {
  Rng rng{3};
  for (const std::uint64_t fill : {1U, 40U, 5000U, 60000U, 65536U}) {
    PortSet set;
    std::set<std::uint16_t> model;
    const auto any = [&] { return static_cast<std::uint16_t>(rng.below(65536)); };
    while (model.size() < fill) {
      const std::uint16_t from = any();  // runs of neighbours: whole blocks are full, others empty
      for (unsigned i = 0; i < 700 && model.size() < fill && from + i < 65536; ++i) {
        set.insert(static_cast<std::uint16_t>(from + i));
        model.insert(static_cast<std::uint16_t>(from + i));
      }
    }
    for (int i = 0; i < 2000; ++i) {
      const std::uint16_t p = any();
      if (rng.chance(0.5)) {
        set.erase(p);
        model.erase(p);
      } else {
        set.insert(p);
        model.insert(p);
      }
      REQUIRE(set.size() == model.size());
      REQUIRE(set.contains(p) == model.contains(p));
      if (model.empty()) {
        REQUIRE_FALSE(set.next(p));
        REQUIRE_FALSE(set.previous(p));
        continue;
      }
      const std::uint16_t from = any();
      const auto up = model.lower_bound(from);
      REQUIRE(*set.next(from) == (up != model.end() ? *up : *model.begin()));
      const auto down = model.upper_bound(from);
      REQUIRE(*set.previous(from) == (down != model.begin() ? *std::prev(down) : *model.rbegin()));
      if (i % 100 == 0) {
        const std::size_t n = rng.below(model.size());
        REQUIRE(set.nth(n) == *std::next(model.begin(), static_cast<std::ptrdiff_t>(n)));
      }
    }
  }
}

TEST_CASE("a preserving NAT keeps the inner port, and gives the next free one above it when it is taken") {
  NatProbe nat{{}};
  CHECK(nat.out("10.0.0.2:5000", "9.0.0.1:80") == "100.0.0.1:5000");
  CHECK(nat.out("10.0.0.3:5000", "9.0.0.1:80") == "100.0.0.1:5001");
  CHECK(nat.out("10.0.0.4:5001", "9.0.0.1:80") == "100.0.0.1:5002");
  CHECK(nat.out("10.0.0.2:80", "9.0.0.1:80") == "100.0.0.1:1024");  // outside of its range
  CHECK(nat.out("10.0.0.2:65535", "9.0.0.1:80") == "100.0.0.1:65535");
  CHECK(nat.out("10.0.0.3:65535", "9.0.0.1:80") == "100.0.0.1:1025");  // around the end
}

TEST_CASE("a sequential NAT adds its step each time, in its direction, around the end of its range") {
  for (const int step : {1, 3, -1, -2}) {
    NatOptions o;
    o.ports = PortAllocation::sequential;
    o.step = step;
    o.first_port = 2000;
    o.last_port = 2100;
    NatProbe nat{o};
    int last = port_of(nat.out("10.0.0.1:5000", "9.0.0.1:80"));
    for (int i = 2; i < 30; ++i) {
      const int port = port_of(nat.out(host(i) + ":5000", "9.0.0.1:80"));
      CHECK(((port - last - step) % 101 == 0));
      CHECK((port >= 2000 && port <= 2100));
      last = port;
    }
  }
}

TEST_CASE("a sequential NAT goes past ports that are taken, in the direction of its step") {
  for (const int step : {2, -2}) {
    NatOptions o;
    o.ports = PortAllocation::sequential;
    o.step = step;
    NatProbe nat{o};
    const int first = port_of(nat.out("10.0.0.1:5000", "9.0.0.1:80"));
    REQUIRE(nat.box.map(nat.now, at("10.0.0.9:1"), Protocol::udp, static_cast<std::uint16_t>(first + step), kNever));
    CHECK(port_of(nat.out("10.0.0.2:5000", "9.0.0.1:80")) == first + step + (step > 0 ? 1 : -1));
  }
}

TEST_CASE("a random NAT spreads over all of its range, without a pattern and without a port twice") {
  NatOptions o;
  o.ports = PortAllocation::random;
  o.first_port = 10000;
  o.last_port = 10999;
  NatProbe nat{o};
  std::set<std::uint16_t> ports;
  int rising = 0;
  int quarter = 0;
  std::uint16_t last = 0;
  for (int i = 0; i < 500; ++i) {
    const std::uint16_t port = port_of(nat.out(host(i) + ":5000", "9.0.0.1:80"));
    REQUIRE((port >= 10000 && port <= 10999));
    REQUIRE(ports.insert(port).second);
    rising += port > last ? 1 : 0;
    quarter += port < 10250 ? 1 : 0;
    last = port;
  }
  CHECK((rising > 200 && rising < 300));
  CHECK((quarter > 90 && quarter < 160));
}

TEST_CASE("random and sequential allocators begin elsewhere after a reboot and with another seed") {
  for (const PortAllocation ports : {PortAllocation::sequential, PortAllocation::random}) {
    NatOptions o;
    o.ports = ports;
    NatProbe one{o, {"100.0.0.1"}, 1};
    NatProbe two{o, {"100.0.0.1"}, 2};
    const int first = port_of(one.out("10.0.0.1:5000", "9.0.0.1:80"));
    CHECK(port_of(two.out("10.0.0.1:5000", "9.0.0.1:80")) != first);
    one.box.reboot();
    const int second = port_of(one.out("10.0.0.1:5000", "9.0.0.1:80"));
    CHECK(std::abs(second - first) > 1);
  }
}

TEST_CASE("every port of the range is given once; then there is none, until one expires or is unmapped") {
  for (const PortAllocation ports : {PortAllocation::preserving, PortAllocation::sequential, PortAllocation::random}) {
    NatOptions o;
    o.ports = ports;
    o.first_port = 3000;
    o.last_port = 3099;
    o.timeout = 30s;
    NatProbe nat{o};
    INFO(name(ports));
    std::set<std::uint16_t> given;
    for (int i = 0; i < 100; ++i) CHECK(given.insert(port_of(nat.out(host(i) + ":3000", "9.0.0.1:80"))).second);
    CHECK((given.size() == 100 && *given.begin() == 3000 && *given.rbegin() == 3099));
    CHECK(nat.out("10.9.0.1:3000", "9.0.0.1:80") == "ports_exhausted");
    CHECK_FALSE(nat.box.map(nat.now, at("10.9.0.1:3000"), Protocol::udp, 3050, kNever));
    nat.now += 30s;
    REQUIRE(nat.box.map(nat.now, at("10.9.0.1:3000"), Protocol::udp, 3050, kNever));
    for (int i = 0; i < 99; ++i) CHECK(port_of(nat.out(host(i) + ":3000", "9.0.0.1:80")) != 3050);
    CHECK(nat.out("10.9.0.1:3000", "9.0.0.1:80") == "ports_exhausted");
    nat.box.unmap(at("10.9.0.1:3000"), Protocol::udp);
    CHECK(nat.out("10.9.0.1:3000", "9.0.0.1:80") == "100.0.0.1:3050");
  }
}

TEST_CASE("paired pooling stays on the exhausted address; arbitrary pooling takes another") {
  NatOptions o;
  o.first_port = 3000;
  o.last_port = 3001;
  NatProbe paired{o, {"100.0.0.1", "100.0.0.2"}};
  CHECK(paired.out("10.0.0.1:3000", "9.0.0.1:80") != "ports_exhausted");
  CHECK(paired.out("10.0.0.1:3001", "9.0.0.1:80") != "ports_exhausted");
  CHECK(paired.out("10.0.0.1:3002", "9.0.0.1:80") == "ports_exhausted");
  o.pooling = Pooling::arbitrary;
  NatProbe arbitrary{o, {"100.0.0.1", "100.0.0.2"}};
  std::set<std::string> given;
  for (int i = 0; i < 4; ++i) given.insert(arbitrary.out("10.0.0.1:" + std::to_string(4000 + i), "9.0.0.1:80"));
  CHECK((given.size() == 4 && !given.contains("ports_exhausted")));
  CHECK(arbitrary.out("10.0.0.1:5000", "9.0.0.1:80") == "ports_exhausted");
}

}  // namespace
}  // namespace pw::net
