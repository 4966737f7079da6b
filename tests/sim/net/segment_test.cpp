// Who gets a packet on a segment, and which do not arrive.
#include "sim/net/segment.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "sim/net/recorder.hpp"

using namespace pw;
using namespace pw::net;

namespace {

/// A device that takes whatever comes, as a gateway does.
struct Sink : Device {
  using Device::Device;
  std::vector<Packet> got;
  void arrive(Interface&, Packet packet) override { got.push_back(std::move(packet)); }
};

struct Lan {
  Net net{1};
  Segment& lan = net.add_segment("lan");
  Recorder alice{net, lan, "alice", "10.0.0.1"};
  Recorder bob{net, lan, "bob", "10.0.0.2"};
  Log log{net};
  void send(std::string_view to, std::uint8_t ttl = kDefaultTtl) {
    alice.send({ip(to), Recorder::kPort}, "x", ttl);
    net.run_until(net.now() + 1s);
  }
  Interface& plug(Recorder& r) { return *r.machine().interfaces()[0]; }
};

}  // namespace

TEST_CASE("a prefix contains what shares its first bits") {
  CHECK(prefix("192.0.2.0/24").contains(ip("192.0.2.255")));
  CHECK(!prefix("192.0.2.0/24").contains(ip("192.0.3.0")));
  CHECK(prefix("10.64.0.0/10").contains(ip("10.127.255.255")));
  CHECK(!prefix("10.64.0.0/10").contains(ip("10.128.0.0")));
  CHECK(prefix("0.0.0.0/0").contains(ip("203.0.113.9")));
  CHECK(!prefix("0.0.0.0/0").contains(ip("2001:db8::1")));
  CHECK(prefix("2001:db8::/33").contains(ip("2001:db8:7fff::")));
  CHECK(!prefix("2001:db8::/33").contains(ip("2001:db8:8000::")));
  CHECK(prefix("192.0.2.7/32").contains(ip("192.0.2.7")));
  CHECK(!prefix("192.0.2.7/32").contains(ip("192.0.2.6")));
  for (const char* wrong : {"192.0.2.0", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x", "/24", "fd00::/129", "1.2.3.4/-1"})
    CHECK(!Prefix::parse(wrong));
}

TEST_CASE("an address that nobody has gets nothing") {
  Lan l;
  l.send("10.0.0.3");
  CHECK(l.log.count(Drop::no_route) == 1);
}

TEST_CASE("the gateway of a family takes what nobody here owns, but never what it sends itself") {
  Lan l;
  Sink gateway{l.net, "gateway"};
  Interface& plug = l.lan.attach(gateway, {ip("10.0.0.254")});
  l.lan.set_gateway(Family::v4, plug);
  l.send("203.0.113.9");
  REQUIRE(gateway.got.size() == 1);
  l.send("10.0.0.2");
  CHECK(gateway.got.size() == 1);
  CHECK(l.lan.next_hop(plug, ip("203.0.113.9")) == nullptr);
  CHECK(l.lan.next_hop(l.plug(l.alice), ip("2001:db8::1")) == nullptr);
  CHECK(l.lan.route(l.plug(l.alice), ip("203.0.113.9")) == nullptr);
}

TEST_CASE("the longest prefix wins over shorter ones and the gateway, in whatever order they were added") {
  const bool longest_first = GENERATE(false, true);
  Lan l;
  Sink gateway{l.net, "gateway"};
  Sink wide{l.net, "wide"};
  Sink narrow{l.net, "narrow"};
  l.lan.set_gateway(Family::v4, l.lan.attach(gateway, {ip("10.0.0.254")}));
  Interface& wide_plug = l.lan.attach(wide, {ip("10.0.0.253")});
  Interface& narrow_plug = l.lan.attach(narrow, {ip("10.0.0.252")});
  if (longest_first) l.lan.add_route(prefix("198.51.100.0/24"), narrow_plug);
  l.lan.add_route(prefix("198.51.0.0/16"), wide_plug);
  if (!longest_first) l.lan.add_route(prefix("198.51.100.0/24"), narrow_plug);
  l.send("198.51.100.1");
  l.send("198.51.101.1");
  l.send("198.52.0.1");
  CHECK(narrow.got.size() == 1);
  CHECK(wide.got.size() == 1);
  CHECK(gateway.got.size() == 1);
}

TEST_CASE("a gateway that is gone takes nothing any more, nor do its routes") {
  Lan l;
  Sink gateway{l.net, "gateway"};
  Interface& plug = l.lan.attach(gateway, {ip("10.0.0.254")});
  l.lan.set_gateway(Family::v4, plug);
  l.lan.add_route(prefix("198.51.100.0/24"), plug);
  l.lan.detach(plug);
  l.send("203.0.113.9");
  l.send("198.51.100.1");
  l.send("10.0.0.254");
  CHECK(l.log.count(Drop::no_route) == 3);
}

TEST_CASE("an unplugged interface neither sends nor receives") {
  Lan l;
  l.alice.machine().set_enabled(l.plug(l.alice), false);
  l.alice.machine().send(Recorder::kPort, {ip("10.0.0.1"), l.bob.address()}, as_bytes("x"));
  CHECK(l.log.count(Drop::interface_down) == 1);
  l.bob.send(l.alice.address(), "y");
  l.net.run_until(l.net.now() + 1s);
  CHECK(l.log.count(Drop::interface_down) == 2);
  l.alice.machine().set_enabled(l.plug(l.alice), true);
  l.bob.send(l.alice.address(), "z");
  l.net.run_until(l.net.now() + 1s);
  CHECK(l.alice.texts() == std::vector<std::string>{"z"});
}

TEST_CASE("packets under way to an interface that is unplugged, gone or has another address are lost") {
  Lan l;
  l.lan.default_link = Link{.delay = 10ms};
  const auto meanwhile = [&](auto happening) {
    l.alice.send({ip("10.0.0.2"), Recorder::kPort}, "x");
    l.net.run_until(l.net.now() + 5ms);
    happening();
    l.net.run_until(l.net.now() + 1s);
  };
  meanwhile([&] { l.bob.machine().set_enabled(l.plug(l.bob), false); });
  CHECK(l.log.count(Drop::interface_down) == 1);
  l.bob.machine().set_enabled(l.plug(l.bob), true);
  meanwhile([&] { l.bob.machine().set_addresses(l.plug(l.bob), {ip("10.0.0.3")}); });
  CHECK(l.log.count(Drop::no_route) == 1);
  l.bob.machine().set_addresses(l.plug(l.bob), {ip("10.0.0.2")});
  meanwhile([&] { l.bob.machine().detach(l.plug(l.bob)); });
  CHECK(l.log.count(Drop::no_route) == 2);
  CHECK(l.bob.got.empty());
}

TEST_CASE("an address belongs to whoever took it last, and comes back when that one gives it up") {
  Lan l;
  Recorder thief{l.net, l.lan, "thief", "10.0.0.9"};
  thief.machine().set_addresses(l.plug(thief), {ip("10.0.0.9"), ip("10.0.0.2")});
  l.send("10.0.0.2");
  CHECK(thief.got.size() == 1);
  thief.machine().set_addresses(l.plug(thief), {ip("10.0.0.9")});
  l.send("10.0.0.2");
  CHECK(thief.got.size() == 1);
  CHECK(l.bob.got.size() == 1);
  // Giving up an address that another took meanwhile takes nothing from that one.
  thief.machine().set_addresses(l.plug(thief), {ip("10.0.0.2")});
  l.bob.machine().set_addresses(l.plug(l.bob), {ip("10.0.0.5")});
  l.send("10.0.0.2");
  CHECK(thief.got.size() == 2);
}

TEST_CASE("hops inside a segment lower the TTL, and end what has too little of it") {
  const unsigned hops = GENERATE(0U, 1U, 5U);
  Lan l;
  l.lan.hops = hops;
  l.send("10.0.0.2", static_cast<std::uint8_t>(hops + 1));
  REQUIRE(l.bob.got.size() == 1);
  CHECK(l.bob.got[0].ttl == 1);
  if (hops == 0) return;
  l.send("10.0.0.2", static_cast<std::uint8_t>(hops));
  CHECK(l.bob.got.size() == 1);
  CHECK(l.log.count(Drop::ttl) == 1);
}

TEST_CASE("a wire is one direction of one pair, made with the default of its first use") {
  Lan l;
  Recorder carol{l.net, l.lan, "carol", "10.0.0.3"};
  l.lan.default_link = Link{.delay = 1ms};
  l.lan.wire(l.plug(l.alice), l.plug(l.bob)).link.delay = 5ms;
  l.lan.default_link = Link{.delay = 2ms};
  for (Recorder* from : {&l.alice, &l.bob, &carol})
    for (Recorder* to : {&l.alice, &l.bob, &carol})
      if (from != to) from->send(to->address(), from->machine().name());
  l.net.run_until(l.net.now() + 1s);
  for (Recorder* to : {&l.alice, &l.bob, &carol}) {
    REQUIRE(to->got.size() == 2);
    for (const auto& got : to->got)
      CHECK(got.at - Net::kStart == (to == &l.bob && got.text == "alice" ? 5ms : 2ms));
  }
}

TEST_CASE("plugs have labels by which a person and a generator know them") {
  Lan l;
  CHECK(l.plug(l.alice).label == "lan/alice");
  CHECK(l.alice.machine().attach(l.lan, {ip("10.0.0.77")}).label == "lan/alice#2");
}

TEST_CASE("a segment that does nothing else to packets still has an MTU") {
  Lan l;
  l.lan.default_link = Link{.mtu = 1300};
  l.alice.send(l.bob.address(), std::string(1300 - 28, 'x'));
  l.alice.send(l.bob.address(), std::string(1301 - 28, 'x'));
  l.net.run_until(l.net.now());
  CHECK(l.bob.got.size() == 1);
  CHECK(l.log.count(Drop::too_big) == 1);
}
