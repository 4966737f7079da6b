// What was sent last goes once more where the next path leads.
#include <catch2/catch_test_macros.hpp>

#include "quic/recent_packets.hpp"
#include "unit/quic/link.hpp"

namespace pw::quic::test {
namespace {

std::size_t kept(const RecentPackets& recent, Instant from) {
  std::size_t bytes = 0;
  recent.since(from, [&](const RecentPackets::Sent& sent) { bytes += sent.bytes.size(); });
  return bytes;
}

/// A connection whose packets from a to b are lost on their first way, and a second address of b's.
struct TwoWays {
  TwoWays() {
    p.b.addresses.push_back(address("192.0.2.3:1003"));
    REQUIRE(p.connect());
    p.wire.run(4s);  // longer than anything of the handshake is kept
    stream = p.a->open_stream(p.ha()).value();
    p.wire.filter = [](const Packet& packet) { return packet.destination.port != 1002; };
  }
  void say(std::string_view words) {
    REQUIRE(p.a->write_stream(p.ha(), stream, as_bytes(words)));
    p.wire.pump();
  }
  void move(std::optional<Instant> lost_since) {
    const PathAddress second = path(p.a.addresses[0], p.b.addresses[1]);
    p.a->set_paths(p.ha(), {&second, 1}, lost_since);
  }
  Pair p;
  StreamId stream = -1;
};

}  // namespace

TEST_CASE("of what was sent the last is kept, by bytes and by age") {
  RecentPackets recent;
  const Instant begin{10s};
  for (int i = 0; i < 100; ++i) recent.add(begin + i * 1ms, 0, Buffer(1200));
  CHECK(kept(recent, begin) == RecentPackets::kMaxBytes);
  CHECK(kept(recent, begin + 98ms) == 2 * 1200);
  recent.add(begin + RecentPackets::kMaxAge + 98ms, 0, Buffer(50));
  CHECK(kept(recent, begin) == 2 * 1200 + 50);
  recent.add(begin + RecentPackets::kMaxAge + 98ms, 1200, Buffer(RecentPackets::kMaxBytes + 1));
  CHECK(kept(recent, begin) <= RecentPackets::kMaxBytes);
}

TEST_CASE("what a dead path swallowed is there one way after the move, in order, and once") {
  TwoWays w;
  const Instant since = w.p.wire.now();
  w.say("one ");
  w.say("two ");
  w.move(since);
  w.say("three");
  w.p.wire.run(w.p.wire.delay);
  CHECK(as_text(w.p.b.received[w.stream]) == "one two three");
  w.p.wire.run(2s);
  CHECK(as_text(w.p.b.received[w.stream]) == "one two three");
}

TEST_CASE("what was sent before that, and by a path that is used already, does not go again") {
  TwoWays w;
  w.say("one ");
  w.p.wire.run(1ms);
  const std::uint64_t sent = w.p.wire.sent;
  w.move(w.p.wire.now());
  w.p.wire.pump();
  CHECK(w.p.wire.sent == sent);
  w.move({});
  w.p.wire.pump();
  CHECK(w.p.wire.sent == sent);
  w.move(Instant{});  // it goes there already
  w.p.wire.pump();
  CHECK(w.p.wire.sent == sent);
}

}  // namespace pw::quic::test
