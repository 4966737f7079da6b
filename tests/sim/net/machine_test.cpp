// Machines: sockets, programs, addresses and the way out.
#include "sim/net/machine.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <set>

#include "sim/net/recorder.hpp"

using namespace pw;
using namespace pw::net;

namespace {

struct Lan {
  Net net{1};
  Segment& lan = net.add_segment("lan", Link{.delay = 1ms});
  Recorder alice{net, lan, "alice", "10.0.0.1"};
  Recorder bob{net, lan, "bob", "10.0.0.2"};
  Log log{net};
  void run(Duration d = 1s) { net.run_until(net.now() + d); }
};

}  // namespace

TEST_CASE("a port is one program's for a protocol, until it closes it") {
  Lan l;
  Recorder other{l.bob.machine(), 8};
  CHECK(!l.bob.machine().open(other, Recorder::kPort));
  CHECK(l.bob.machine().open(other, Recorder::kPort, Protocol::tcp) == Recorder::kPort);
  l.alice.send(l.bob.address(), "udp");
  l.alice.machine().send(1, {{}, l.bob.address()}, as_bytes("tcp"), kDefaultTtl, Protocol::tcp);
  l.run();
  CHECK(l.bob.texts() == std::vector<std::string>{"udp"});
  CHECK(other.texts() == std::vector<std::string>{"tcp"});
  l.bob.machine().close(Recorder::kPort);
  CHECK(l.bob.machine().open(other, Recorder::kPort) == Recorder::kPort);
  l.alice.send(l.bob.address(), "now the other's");
  l.run();
  CHECK(other.texts().back() == "now the other's");
  CHECK(l.bob.got.size() == 1);
}

TEST_CASE("ephemeral ports come from the range of Linux, differ, and end") {
  Lan l;
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 60999 - 32768 + 1; ++i) {
    const auto port = l.alice.machine().open(l.alice, 0);
    REQUIRE(port);
    ports.insert(*port);
  }
  CHECK(ports.size() == 60999 - 32768 + 1);
  CHECK(*ports.begin() == 32768);
  CHECK(*ports.rbegin() == 60999);
  CHECK(!l.alice.machine().open(l.alice, 0));
}

TEST_CASE("a packet to a port without a socket is dropped, also when it closed while the packet was under way") {
  Lan l;
  l.alice.send({l.bob.address().ip, 99}, "x");
  l.run();
  CHECK(l.log.count(Drop::no_listener) == 1);
  l.alice.send(l.bob.address(), "x");
  l.bob.machine().kill(l.bob);
  l.run();
  CHECK(l.log.count(Drop::no_listener) == 2);
  CHECK(l.bob.got.empty());
}

TEST_CASE("a program that is killed has no timer any more, and one that closes its last socket neither") {
  const bool by_kill = GENERATE(false, true);
  Lan l;
  l.bob.set_timer(l.bob.machine().now() + 10ms);
  if (by_kill)
    l.bob.machine().kill(l.bob);
  else
    l.bob.machine().close(Recorder::kPort);
  l.run();
  CHECK(l.bob.fired.empty());
  CHECK(l.net.timers_fired() == 0);
}

TEST_CASE("a timer fires when it is due, once, in machine time") {
  Lan l;
  l.net.run_until(l.net.now());  // both are told of their interfaces
  Machine& machine = l.net.add_machine("clock");
  machine.set_clock(1000h);
  Recorder program{machine, 1};
  CHECK(machine.now() == l.net.now() + 1000h);
  program.set_timer(machine.now() + 250ms);
  CHECK(machine.to_net(program.deadline) == Net::kStart + 250ms);
  CHECK(l.net.poll_timeout() == Net::kStart + 250ms);
  l.run();
  CHECK(program.fired == std::vector{Net::kStart + 1000h + 250ms});
  CHECK(l.net.timers_fired() == 1);
}

TEST_CASE("a timer is asked for after every call: what an arrival postpones does not fire early") {
  Lan l;
  l.bob.set_timer(l.net.now() + 50ms);
  l.bob.on_arrival = [&](Instant now, const Arrival&) { l.bob.deadline = now + 50ms; };
  for (int i = 0; i < 10; ++i) {
    l.alice.send(l.bob.address(), "x");
    l.run(20ms);
  }
  CHECK(l.bob.fired.empty());
  l.run();
  CHECK(l.bob.fired == std::vector{Net::kStart + 180ms + 1ms + 50ms});
}

TEST_CASE("programs of one machine have timers of their own") {
  Lan l;
  Recorder other{l.bob.machine(), 8};
  l.bob.set_timer(l.net.now() + 20ms);
  other.set_timer(l.net.now() + 10ms);
  l.run();
  CHECK(l.bob.fired == std::vector{Net::kStart + 20ms});
  CHECK(other.fired == std::vector{Net::kStart + 10ms});
}

TEST_CASE("a program may kill itself, or another, from within a call") {
  Lan l;
  Recorder other{l.bob.machine(), 8};
  l.bob.on_arrival = [&](Instant, const Arrival&) {
    l.bob.machine().kill(other);
    l.bob.machine().kill(l.bob);
  };
  other.set_timer(l.net.now() + 10ms);
  l.bob.set_timer(l.net.now() + 10ms);
  l.alice.send(l.bob.address(), "x");
  l.alice.send(l.bob.address(), "y");
  l.run();
  CHECK(l.bob.got.size() == 1);
  CHECK(l.bob.fired.empty());
  CHECK(other.fired.empty());
}

TEST_CASE("no program is called in the middle of another's sending, on links without delay neither") {
  Net net{1};
  Segment& lan = net.add_segment("lan");
  Recorder alice{net, lan, "alice", "10.0.0.1"};
  Recorder bob{net, lan, "bob", "10.0.0.2"};
  int depth = 0;
  int deepest = 0;
  for (Recorder* r : {&alice, &bob})
    r->on_arrival = [&, r](Instant, const Arrival& a) {
      deepest = std::max(deepest, ++depth);
      if (r->got.size() < 50) r->send(a.path.remote, "again");
      --depth;
    };
  alice.send(bob.address(), "x");
  CHECK(bob.got.empty());
  net.run_until(net.now());
  CHECK(bob.got.size() == 50);
  CHECK(deepest == 1);
}

TEST_CASE("what a machine sends to itself comes straight back, over loopback too") {
  Lan l;
  l.alice.send(l.alice.address(), "own");
  l.alice.send({ip("127.0.0.1"), Recorder::kPort}, "loopback");
  l.alice.send({ip("::1"), Recorder::kPort}, "loopback of IPv6");
  l.net.run_until(l.net.now());
  REQUIRE(l.alice.texts() == std::vector<std::string>{"own", "loopback", "loopback of IPv6"});
  CHECK(l.alice.got[0].from == l.alice.address());
  CHECK(l.alice.got[1].from.ip == ip("127.0.0.1"));
}

TEST_CASE("injected bytes reach a socket as if they had arrived now, whoever is said to have sent them") {
  Lan l;
  l.bob.machine().inject(*SocketAddress::parse("203.0.113.9:53"), Recorder::kPort, {'h', 'i'});
  l.bob.machine().inject(*SocketAddress::parse("203.0.113.9:53"), 99, {'h', 'i'});
  l.net.run_until(l.net.now());
  REQUIRE(l.bob.got.size() == 1);
  CHECK(l.bob.got[0].text == "hi");
  CHECK(l.bob.got[0].from.to_string() == "203.0.113.9:53");
  CHECK(l.bob.got[0].to == l.bob.address());
  CHECK(l.log.count(Drop::no_listener) == 1);
}

TEST_CASE("a packet says what it was sent from, and the TTL that it arrived with") {
  Lan l;
  l.alice.send(l.bob.address(), "x", 3);
  l.run();
  REQUIRE(l.bob.got.size() == 1);
  CHECK(l.bob.got[0].from == l.alice.address());
  CHECK(l.bob.got[0].ttl == 3);
}

TEST_CASE("a source address that the machine has not (any more) sends nothing") {
  Lan l;
  Machine& m = l.alice.machine();
  m.send(Recorder::kPort, {ip("10.0.0.77"), l.bob.address()}, as_bytes("x"));
  CHECK(l.log.count(Drop::no_address) == 1);
  m.set_addresses(*m.interfaces()[0], {ip("10.0.0.8")});
  m.send(Recorder::kPort, {ip("10.0.0.1"), l.bob.address()}, as_bytes("x"));
  CHECK(l.log.count(Drop::no_address) == 2);
  m.send(Recorder::kPort, {ip("10.0.0.8"), l.bob.address()}, as_bytes("x"));
  l.run();
  REQUIRE(l.bob.got.size() == 1);
  CHECK(l.bob.got[0].from.ip == ip("10.0.0.8"));
}

TEST_CASE("without a source address, the way out is the own segment, then the first interface with a gateway") {
  Net net{1};
  Log log{net};
  Segment& first = net.add_segment("first");
  Segment& second = net.add_segment("second");
  Recorder me{net, first, "me", "10.0.0.1"};
  Machine& m = me.machine();
  m.attach(second, {ip("10.1.0.1"), ip("fd00::1")});
  Recorder neighbour{net, second, "neighbour", "10.1.0.2"};
  Recorder gateway1{net, first, "gateway1", "10.0.0.254"};
  Recorder gateway2{net, second, "gateway2", "10.1.0.254"};
  first.set_gateway(Family::v4, *gateway1.machine().interfaces()[0]);
  second.set_gateway(Family::v4, *gateway2.machine().interfaces()[0]);
  gateway1.machine().attach(first, {ip("203.0.113.9")});
  const auto send = [&](std::string_view to) {
    me.send({ip(to), Recorder::kPort}, "x");
    net.run_until(net.now() + 1s);
  };

  send("10.1.0.2");  // on the second's segment, although the first has a gateway
  REQUIRE(neighbour.got.size() == 1);
  CHECK(neighbour.got[0].from.ip == ip("10.1.0.1"));

  log.keep_trace = true;
  send("198.51.100.1");  // both have a gateway: which is no router, and has not that address
  CHECK(log.count(Drop::no_route) == 1);
  CHECK(log.trace.find(" 10.0.0.1:7 198.51.100.1:7 ") != std::string::npos);
  send("203.0.113.9");
  REQUIRE(gateway1.got.size() == 1);
  CHECK(gateway1.got[0].from.ip == ip("10.0.0.1"));

  m.set_enabled(*m.interfaces()[0], false);
  gateway2.machine().attach(second, {ip("192.0.2.1")});
  send("192.0.2.1");
  REQUIRE(gateway2.got.size() == 1);
  CHECK(gateway2.got[0].from.ip == ip("10.1.0.1"));

  send("2001:db8::1");  // an address of the family, but no gateway
  CHECK(log.count(Drop::no_route) == 2);
  m.set_enabled(*m.interfaces()[1], false);
  send("10.1.0.2");
  CHECK(log.count(Drop::interface_down) == 1);
}

TEST_CASE("a machine without an address of the target's family has no way there") {
  Lan l;
  l.alice.send({ip("2001:db8::1"), 1}, "x");
  CHECK(l.log.count(Drop::no_address) == 1);
}

TEST_CASE("programs are told of every change of interfaces and addresses, once each time") {
  Lan l;
  Machine& m = l.bob.machine();
  Segment& other = l.net.add_segment("other");
  l.run();
  const std::size_t at_start = l.bob.changes.size();
  Interface& added = m.attach(other, {ip("10.5.0.1")});
  l.run();
  CHECK(l.bob.changes.size() == at_start + 1);
  m.set_addresses(added, {ip("10.5.0.2")});
  l.run();
  CHECK(l.bob.changes.size() == at_start + 2);
  m.set_enabled(added, false);
  m.set_enabled(added, false);
  l.run();
  CHECK(l.bob.changes.size() == at_start + 3);
  m.detach(added);
  l.run();
  CHECK(l.bob.changes.size() == at_start + 4);
  CHECK(m.interfaces().size() == 1);
  CHECK(l.alice.changes.size() <= 1);
}
