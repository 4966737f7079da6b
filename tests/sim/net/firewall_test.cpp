#include "sim/net/firewall.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace pw::net {
namespace {

struct Probe {
  Firewall wall;
  Instant now{1h};
  explicit Probe(FirewallOptions options) : wall{std::move(options)} {}

  static Packet packet(std::string_view from, std::string_view to, Protocol protocol, std::size_t payload) {
    Packet p;
    p.protocol = protocol;
    p.source = SocketAddress::parse(from).value();
    p.destination = SocketAddress::parse(to).value();
    p.payload.resize(payload);
    return p;
  }
  std::string out(std::string_view from, std::string_view to, Protocol protocol = Protocol::udp, std::size_t n = 100) {
    const auto drop = wall.from_inside(now, packet(from, to, protocol, n));
    return drop ? std::string{name(*drop)} : "passes";
  }
  std::string in(std::string_view from, std::string_view to, Protocol protocol = Protocol::udp, std::size_t n = 100) {
    const auto drop = wall.from_outside(now, packet(from, to, protocol, n));
    return drop ? std::string{name(*drop)} : "passes";
  }
};
constexpr auto kIn = "10.0.0.2:5000";
constexpr auto kOut = "9.0.0.1:80";

TEST_CASE("a firewall without rules lets everything pass and keeps no flows") {
  Probe p{{}};
  CHECK(p.out(kIn, kOut) == "passes");
  CHECK(p.in(kOut, kIn) == "passes");
  CHECK(p.in("[2001:db8::1]:1", "[2001:db8::2]:2") == "passes");
  CHECK(p.wall.flows(p.now) == 0);
}

TEST_CASE("blocked UDP passes neither way while TCP passes, and the other way around") {
  FirewallOptions o;
  o.udp_blocked = true;
  Probe udp{o};
  CHECK(udp.out(kIn, kOut) == "blocked");
  CHECK(udp.in(kOut, kIn) == "blocked");
  CHECK(udp.out(kIn, kOut, Protocol::tcp) == "passes");
  CHECK(udp.in(kOut, kIn, Protocol::tcp) == "passes");
  o = {};
  o.tcp_blocked = true;
  Probe tcp{o};
  CHECK(tcp.out(kIn, kOut, Protocol::tcp) == "blocked");
  CHECK(tcp.in(kOut, kIn, Protocol::tcp) == "blocked");
  CHECK(tcp.out(kIn, kOut) == "passes");
}

TEST_CASE("UDP to some ports only: outward to these, TCP to all, answers come in") {
  FirewallOptions o;
  o.udp_ports = {53, 443};
  Probe p{o};
  CHECK(p.out(kIn, "9.0.0.1:443") == "passes");
  CHECK(p.out(kIn, "9.0.0.1:53") == "passes");
  CHECK(p.out(kIn, "9.0.0.1:9470") == "blocked");
  CHECK(p.out(kIn, "9.0.0.1:9470", Protocol::tcp) == "passes");
  CHECK(p.in("9.0.0.1:443", kIn) == "passes");
}

TEST_CASE("a stateful firewall lets in what belongs to a flow from inside, of both families, and nothing else") {
  FirewallOptions o;
  o.stateful = true;
  for (const bool six : {false, true}) {
    const std::string inner = six ? "[2001:db8::2]:5000" : kIn;
    const std::string outer = six ? "[2001:db8:1::1]:80" : kOut;
    Probe p{o};
    CHECK(p.in(outer, inner) == "filtered");
    CHECK(p.out(inner, outer) == "passes");
    CHECK(p.in(outer, inner) == "passes");
    CHECK(p.in(outer, inner, Protocol::tcp) == "filtered");
    CHECK(p.in(six ? "[2001:db8:1::1]:81" : "9.0.0.1:81", inner) == "filtered");
    CHECK(p.in(six ? "[2001:db8:1::2]:80" : "9.0.0.2:80", inner) == "filtered");
    CHECK(p.in(outer, six ? "[2001:db8::2]:5001" : "10.0.0.2:5001") == "filtered");
    CHECK(p.wall.flows(p.now) == 1);
  }
}

TEST_CASE("a flow ends its time-out after the last packet of either way, not of packets that were dropped") {
  FirewallOptions o;
  o.stateful = true;
  Probe p{o};
  p.out(kIn, kOut);
  p.now += 30s - 1ns;
  CHECK(p.in(kOut, kIn) == "passes");
  p.now += 20s;
  CHECK(p.in(kOut, kIn) == "passes");
  CHECK(p.out(kIn, kOut) == "passes");
  p.now += 30s - 1ns;
  CHECK(p.wall.flows(p.now) == 1);
  p.now += 1ns;
  CHECK(p.in(kOut, kIn) == "filtered");
  CHECK(p.in(kOut, kIn) == "filtered");
  CHECK(p.wall.flows(p.now) == 0);
}

TEST_CASE("a full table of flows turns new ones away until one expires; a reboot empties it") {
  FirewallOptions o;
  o.stateful = true;
  o.max_flows = 2;
  Probe p{o};
  p.out(kIn, kOut);
  p.now += 10s;
  p.out(kIn, kOut, Protocol::tcp);
  CHECK(p.out(kIn, "9.0.0.2:80") == "table_full");
  CHECK(p.out(kIn, kOut, Protocol::tcp) == "passes");
  p.now += 20s;
  CHECK(p.out(kIn, "9.0.0.2:80") == "passes");
  p.wall.reboot();
  CHECK(p.wall.flows(p.now) == 0);
  CHECK(p.in(kOut, kIn, Protocol::tcp) == "filtered");
}

TEST_CASE("a throttle passes its rate each way after a burst of a tenth of a second, and leaves TCP alone") {
  FirewallOptions o;
  o.udp_rate = 100'000;
  Probe p{o};
  const auto passed = [&](Duration time, bool outward) {
    std::size_t bytes = 0;
    for (Duration t{}; t < time; t += 1ms, p.now += 1ms)
      for (int i = 0; i < 2; ++i)  // 1,000,000 bytes a second offered
        if ((outward ? p.out(kIn, kOut, Protocol::udp, 472) : p.in(kOut, kIn, Protocol::udp, 472)) == "passes")
          bytes += 500;
    return bytes;
  };
  const std::size_t outward = passed(10s, true);
  CHECK((outward >= 1'000'000 && outward <= 1'011'000));
  CHECK(p.out(kIn, kOut, Protocol::udp, 1400) == "throttled");
  CHECK(p.out(kIn, kOut, Protocol::tcp, 1400) == "passes");
  const std::size_t inward = passed(10s, false);  // has a bucket of its own
  CHECK((inward >= 1'000'000 && inward <= 1'011'000));
  p.now += 10s;
  const std::size_t burst = passed(1ms, true) + passed(1ms, true);
  CHECK(burst == 2000);
}

TEST_CASE("the slowest throttle still passes a full packet now and then") {
  FirewallOptions o;
  o.udp_rate = 1000;
  Probe p{o};
  CHECK(p.out(kIn, kOut, Protocol::udp, 1472) == "passes");
  CHECK(p.out(kIn, kOut, Protocol::udp, 1472) == "throttled");
  p.now += 1501ms;
  CHECK(p.out(kIn, kOut, Protocol::udp, 1472) == "passes");
}

TEST_CASE("a throttled packet opens no flow") {
  FirewallOptions o;
  o.stateful = true;
  o.udp_rate = 1000;
  Probe p{o};
  CHECK(p.out("10.0.0.3:1", kOut, Protocol::udp, 1472) == "passes");
  CHECK(p.out(kIn, kOut, Protocol::udp, 1000) == "throttled");
  CHECK(p.in(kOut, kIn, Protocol::udp, 1) == "filtered");
}

}  // namespace
}  // namespace pw::net
