// Echoes of ICMP across NATs and firewalls: RFC 5508 section 3, their identifiers in place of ports.
#include <catch2/catch_test_macros.hpp>

#include "sim/net/firewall.hpp"
#include "sim/net/nat.hpp"

using namespace pw;
using namespace pw::net;

namespace {

constexpr Instant kNow{1s};

SocketAddress at(std::string_view ip, std::uint16_t port) { return {IpAddress::parse(ip).value(), port}; }

Packet echo(SocketAddress source, SocketAddress destination) {
  Packet out;
  out.protocol = Protocol::icmp;
  out.source = source;
  out.destination = destination;
  return out;
}

}  // namespace

TEST_CASE("an echo's identifier is translated, and its reply finds the way back") {
  NatOptions options;
  options.ports = PortAllocation::random;
  NatBox nat{options, {IpAddress::v4({11, 0, 1, 1})}, Rng{1}};
  Packet request = echo(at("192.168.1.2", 4711), at("11.0.0.1", 0));
  REQUIRE(nat.from_inside(kNow, request).way == NatBox::Way::out);
  CHECK(request.source.ip.to_string() == "11.0.1.1");
  CHECK(request.source.port != 4711);
  Packet reply = echo(at("11.0.0.1", 0), request.source);
  REQUIRE(nat.from_outside(kNow, reply).way == NatBox::Way::in);
  CHECK(reply.destination == at("192.168.1.2", 4711));
  Packet other = echo(at("11.0.0.9", 0), request.source);
  CHECK(nat.from_outside(kNow, other).way == NatBox::Way::drop);
  // A request from outside has no identifier on its destination's side: it belongs to no mapping.
  Packet unasked = echo(at("11.0.0.1", 4711), at("11.0.1.1", 0));
  CHECK(nat.from_outside(kNow, unasked).way == NatBox::Way::drop);
}

TEST_CASE("a stateful firewall lets replies in, and blocking UDP or TCP does not block echoes") {
  FirewallOptions options;
  options.stateful = options.udp_blocked = options.tcp_blocked = true;
  Firewall firewall{options};
  CHECK(firewall.from_outside(kNow, echo(at("11.0.0.1", 0), at("192.168.1.2", 4711))) == Drop::filtered);
  CHECK_FALSE(firewall.from_inside(kNow, echo(at("192.168.1.2", 4711), at("11.0.0.1", 0))));
  CHECK_FALSE(firewall.from_outside(kNow, echo(at("11.0.0.1", 0), at("192.168.1.2", 4711))));
  CHECK(firewall.from_outside(kNow, echo(at("11.0.0.1", 7), at("192.168.1.2", 0))) == Drop::filtered);
}
