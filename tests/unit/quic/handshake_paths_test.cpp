#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "unit/quic/link.hpp"

namespace pw::quic::test {
namespace {

using event::RejectReason;

const SocketAddress kDead = address("198.51.100.1:9");
const SocketAddress kOther = address("198.51.100.2:9");

}  // namespace

TEST_CASE("a dial over several candidates keeps the one that answered") {
  Pair p;
  const std::array candidates{path(p.a.addresses[0], kDead), path(p.a.addresses[0], p.b.addresses[0]),
                              path(p.a.addresses[0], kOther)};
  p.wire.record = true;
  p.a->dial(p.wire.now(), candidates, p.b.id()).value();
  p.wire.run(1s);
  REQUIRE(p.a.established() != nullptr);
  CHECK(p.a.established()->path.remote == p.b.addresses[0]);
  const auto to = [&](const SocketAddress& remote) {
    return std::ranges::count(p.wire.log, remote, &Packet::destination);
  };
  CHECK(to(kDead) == 1);  // the Initial, and nothing after the answer came
  CHECK(to(kOther) == 1);
  CHECK(to(p.b.addresses[0]) > 1);
}

namespace {

/// Both ends with two addresses, and a dial over both ways.
struct TwoWays : Pair {
  TwoWays() {
    a.addresses.push_back(address("[2001:db8::1]:1001"));
    b.addresses.push_back(address("[2001:db8::2]:1002"));
  }
  void dial_both() {
    const std::array candidates{path(a.addresses[0], b.addresses[0]), path(a.addresses[1], b.addresses[1])};
    a->dial(wire.now(), candidates, b.id()).value();
  }
  std::size_t bytes_to(const SocketAddress& remote) const {
    std::size_t sum = 0;
    for (const Packet& packet : wire.log)
      if (packet.destination == remote) sum += packet.bytes.size();
    return sum;
  }
};

}  // namespace

TEST_CASE("an Initial that comes over two paths begins one connection, on the path that the dialler chose") {
  TwoWays p;
  p.dial_both();
  p.wire.run(1s);
  REQUIRE(p.a.ups.size() == 1);
  REQUIRE(p.b.ups.size() == 1);
  CHECK(p.b->connections() == 1);
  CHECK(p.a.ups[0].path.remote == p.b.addresses[0]);
  CHECK(p.b.ups[0].path.remote == p.a.addresses[0]);
  CHECK(p.b.rejections(RejectReason::wrong_source) == 0);
}

TEST_CASE("where the quickest way there does not lead back, the handshake goes the other way") {
  TwoWays p;
  p.wire.filter = [](const Packet& packet) { return packet.destination != address("192.0.2.1:1001"); };
  p.dial_both();
  p.wire.run(2s);
  REQUIRE(p.a.ups.size() == 1);
  REQUIRE(p.b.ups.size() == 1);
  CHECK(p.a.ups[0].path.remote == p.b.addresses[1]);
  CHECK(p.b.ups[0].path.remote == p.a.addresses[1]);
}

TEST_CASE("to each source of an Initial goes no more than three times what came from there") {
  TwoWays p;
  static int to_second;
  to_second = 0;
  // Nothing comes back, and of what goes the second way only the first packet arrives.
  p.wire.filter = [](const Packet& packet) {
    return packet.destination == address("192.0.2.2:1002") ||
           (packet.destination == address("[2001:db8::2]:1002") && to_second++ == 0);
  };
  p.wire.record = true;
  p.dial_both();
  p.wire.run(9s);
  CHECK(p.bytes_to(p.a.addresses[0]) > 3 * kUdpPayload);  // it tries again, as more comes
  CHECK(p.bytes_to(p.a.addresses[1]) > 0);
  CHECK(p.bytes_to(p.a.addresses[1]) <= 3 * kUdpPayload);
}

TEST_CASE("a dialler takes handshake packets from its candidates only") {
  Pair p;
  p.wire.rewrite_source = {{p.b.addresses[0], kOther}};
  p.dial();
  p.wire.run(500ms);
  CHECK(p.a.ups.empty());
  CHECK(p.a.rejections(RejectReason::wrong_source) > 0);
}

TEST_CASE("set_paths moves what is sent, and two paths carry every packet twice") {
  Pair p;
  p.a.addresses.push_back(address("192.0.2.11:1001"));
  p.b.addresses.push_back(address("192.0.2.12:1002"));
  REQUIRE(p.connect());
  const PathAddress first = path(p.a.addresses[0], p.b.addresses[0]);
  const PathAddress second = path(p.a.addresses[1], p.b.addresses[1]);

  p.a->set_paths(p.ha(), {&second, 1});
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("moved")));
  p.wire.run(100ms);
  REQUIRE(p.b.datagrams.size() == 1);
  CHECK(p.b.datagrams[0].from == path(p.b.addresses[1], p.a.addresses[1]));

  const std::array both{first, second};
  p.a->set_paths(p.ha(), both);
  p.wire.record = true;
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("twice")));
  p.wire.pump();
  REQUIRE(p.wire.log.size() == 2);
  CHECK(p.wire.log[0].bytes == p.wire.log[1].bytes);
  CHECK(p.wire.log[0].destination != p.wire.log[1].destination);
  p.wire.run(100ms);
  CHECK(p.b.datagrams.size() == 2);  // QUIC itself drops the copy

  // Nothing is lost when one of the two paths is dead.
  p.wire.filter = [](const Packet& packet) { return packet.destination != address("192.0.2.12:1002"); };
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("still")));
  p.wire.run(100ms);
  CHECK(p.b.datagrams.size() == 3);
}

TEST_CASE("the acceptor's answer path does not follow a packet's source") {
  Pair p;
  REQUIRE(p.connect());
  p.wire.rewrite_source = {{p.a.addresses[0], kOther}};
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("from elsewhere")));
  p.wire.record = true;
  p.wire.run(100ms);
  REQUIRE(p.b.datagrams.size() == 1);
  CHECK(p.b.datagrams[0].from.remote == kOther);
  CHECK(std::ranges::none_of(p.wire.log, [](const Packet& x) { return x.destination == kOther; }));
}

TEST_CASE("a dial without candidates, or past the connection limit, fails") {
  Options options;
  options.max_connections = 1;
  Pair p{options};
  CHECK_FALSE(p.a->dial(p.wire.now(), {}, p.b.id()));
  REQUIRE(p.connect());
  const PathAddress to = path(p.a.addresses[0], p.b.addresses[0]);
  CHECK_FALSE(p.a->dial(p.wire.now(), {&to, 1}, p.b.id()));
}

}  // namespace pw::quic::test
