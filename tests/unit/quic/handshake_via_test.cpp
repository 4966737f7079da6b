#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "quic/source_limits.hpp"
#include "unit/quic/link.hpp"

namespace pw::quic::test {
namespace {

using event::RejectReason;

PathAddress channel(std::uint32_t via) { return {{}, {}, Via{via}}; }

/// A pair with channels between the two: 5 at one end is 7 at the other, 6 is 8.
struct Channels : Pair {
  explicit Channels(Options b_options = {}) : Pair{{}, b_options} {
    wire.channels = {{&a, &b, Via{5}, Via{7}}, {&a, &b, Via{6}, Via{8}}};
  }
  void dial(std::initializer_list<PathAddress> candidates) {
    const std::vector<PathAddress> paths{candidates};
    static_cast<void>(a->dial(wire.now(), paths, b.id()).value());
  }
};

}  // namespace

TEST_CASE("a handshake goes over a channel, and each end knows it by its own name") {
  Channels c;
  c.dial({channel(5)});
  c.wire.run(1s);
  REQUIRE(c.a.established() != nullptr);
  REQUIRE(c.b.established() != nullptr);
  CHECK(c.a.established()->path == channel(5));
  CHECK(c.b.established()->path == channel(7));
  REQUIRE(c.b->write_datagram(c.hb(), as_bytes("probe")));
  c.wire.run(100ms);
  REQUIRE(c.a.datagrams.size() == 1);
  CHECK(c.a.datagrams[0].from == channel(5));
}

TEST_CASE("of two channels, which have the same address, the one that answered is kept") {
  Channels c;
  c.wire.filter = [](const Packet& packet) { return packet.via != Via{5}; };
  c.wire.record = true;
  c.dial({channel(5), channel(6)});
  c.wire.run(1s);
  REQUIRE(c.a.established() != nullptr);
  CHECK(c.a.established()->path == channel(6));
  CHECK(std::ranges::count(c.wire.log, Via{5}, &Packet::via) == 1);
}

TEST_CASE("an Initial that comes over two channels begins one connection, on the one that was chosen") {
  Channels c;
  c.dial({channel(5), channel(6)});
  c.wire.run(1s);
  CHECK(c.b.ups.size() == 1);
  CHECK(c.b->connections() == 1);
  CHECK(c.b.rejections(RejectReason::wrong_source) == 0);
  REQUIRE(c.a.ups.size() == 1);
  CHECK((c.a.ups[0].path == channel(5)) == (c.b.ups[0].path.via == Via{7}));
}

TEST_CASE("a connection moves from a channel to an address and back") {
  Channels c;
  c.dial({channel(5)});
  c.wire.run(1s);
  REQUIRE(c.a.established() != nullptr);
  const PathAddress direct = path(c.a.addresses[0], c.b.addresses[0]);
  c.a->set_paths(c.ha(), {&direct, 1});
  REQUIRE(c.a->write_datagram(c.ha(), as_bytes("direct")));
  c.wire.run(100ms);
  REQUIRE(c.b.datagrams.size() == 1);
  CHECK(c.b.datagrams[0].from == path(c.b.addresses[0], c.a.addresses[0]));
  const std::array both{direct, channel(6)};
  c.a->set_paths(c.ha(), both);
  c.wire.filter = [](const Packet& packet) { return packet.via != Via::own; };
  REQUIRE(c.a->write_datagram(c.ha(), as_bytes("relayed")));
  c.wire.run(100ms);
  REQUIRE(c.b.datagrams.size() == 2);
  CHECK(c.b.datagrams[1].from == channel(8));
}

TEST_CASE("a Retry comes and its token is taken over a channel") {
  Options busy;
  busy.retry_threshold = 0;
  Channels c{busy};
  c.wire.record = true;
  c.dial({channel(5)});
  c.wire.run(1s);
  CHECK(c.b.ups.size() == 1);
  CHECK(std::ranges::any_of(c.wire.log, [&](const Packet& x) { return x.from == &c.b && (x.bytes[0] & 0xf0) == 0xf0; }));
}

TEST_CASE("a Retry token of one channel is worth nothing on another, nor at an address") {
  Options busy;
  busy.retry_threshold = 0;
  Channels c{busy};
  c.wire.record = true;
  c.dial({channel(5)});
  c.wire.run(11ms);  // Initial, Retry, and the Initial with the token is on its way
  REQUIRE(c.wire.log.size() == 3);
  const Buffer with_token = c.wire.log.back().bytes;
  c.wire.channels.clear();
  c.b->handle_datagram(c.wire.now(), c.wire.now(), channel(8), with_token);
  c.b.collect();
  CHECK(c.b.rejections(RejectReason::invalid_token) == 1);
  c.b->handle_datagram(c.wire.now(), c.wire.now(), path(c.b.addresses[0], c.a.addresses[0]), with_token);
  c.b.collect();
  CHECK(c.b.rejections(RejectReason::invalid_token) == 2);
  CHECK(c.b->connections() == 0);
  c.b->handle_datagram(c.wire.now(), c.wire.now(), channel(7), with_token);
  c.b.collect();
  CHECK(c.b->connections() == 1);
}

TEST_CASE("through a relay a peer is one source, however many channels it opens, and all of them together are bounded") {
  SourceLimits limits{1, 8, KeyedHash{1}};
  const Instant now{1s};
  const PeerId relay = identity(9).id(), other_relay = identity(8).id();
  std::uint32_t via = 1;
  const auto begun = [&](std::uint8_t peer, const PeerId& through) {
    std::size_t n = 0;
    for (int channels = 0; channels < 10; ++channels, ++via) {
      limits.name(now, Via{via}, through, identity(peer).id());
      while (limits.take(now, channel(via))) ++n;
      limits.forget(Via{via});
    }
    return n;
  };
  CHECK(begun(1, relay) == 2);  // two seconds' worth
  CHECK(begun(2, relay) == 2);
  CHECK(begun(3, relay) == 0);  // the relay's share is used up
  CHECK(begun(4, other_relay) == 2);
  CHECK(begun(1, other_relay) == 2);  // what the first relay says of the peer takes nothing from it there
}

TEST_CASE("a further socket of ours hears the same sources as the first") {
  SourceLimits limits{1, 8, KeyedHash{1}};
  const Instant now{1s};
  const SocketAddress remote = address("192.0.2.1:1");
  CHECK(limits.take(now, {{}, remote, Via::own}));
  CHECK(limits.take(now, {{}, remote, Via{9}}));
  CHECK_FALSE(limits.take(now, {{}, remote, Via{10}}));
}

}  // namespace pw::quic::test
