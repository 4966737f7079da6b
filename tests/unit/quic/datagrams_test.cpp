#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "unit/quic/link.hpp"

namespace pw::quic::test {

TEST_CASE("datagrams arrive with the path and the time they came by") {
  Pair p;
  REQUIRE(p.connect());
  const Instant sent = p.wire.now();
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("probe")));
  p.wire.run(100ms);
  REQUIRE(p.b.datagrams.size() == 1);
  CHECK(as_text(p.b.datagrams[0].bytes) == "probe");
  CHECK(p.b.datagrams[0].from == path(p.b.addresses[0], p.a.addresses[0]));
  CHECK(p.b.datagrams[0].received_at == sent + p.wire.delay);
}

TEST_CASE("the largest datagram fits into one packet, a larger or empty one is refused") {
  Pair p;
  REQUIRE(p.connect());
  CHECK(p.a->write_datagram(p.ha(), Buffer(kMaxDatagram, 7)));
  CHECK_FALSE(p.a->write_datagram(p.ha(), Buffer(kMaxDatagram + 1, 7)));
  CHECK_FALSE(p.a->write_datagram(p.ha(), {}));
  CHECK_FALSE(p.a->write_datagram(Handle{77}, as_bytes("x")));
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("behind it")));
  p.wire.run(100ms);
  REQUIRE(p.b.datagrams.size() == 2);
  CHECK(p.b.datagrams[0].bytes.size() == kMaxDatagram);
  CHECK(p.a->take_dropped_datagrams() == 0);
}

TEST_CASE("a full queue of datagrams drops its oldest and counts") {
  Options options;
  options.max_queued_datagrams = 3;
  Pair p{options};
  REQUIRE(p.connect());
  for (std::uint8_t i = 0; i < 5; ++i) REQUIRE(p.a->write_datagram(p.ha(), Buffer(1, i)));
  p.wire.run(100ms);
  REQUIRE(p.b.datagrams.size() == 3);
  CHECK(p.b.datagrams[0].bytes[0] == 2);
  CHECK(p.a->take_dropped_datagrams() == 2);
  CHECK(p.a->take_dropped_datagrams() == 0);
}

TEST_CASE("an echo costs three packets: the answer carries the acknowledgement") {
  Pair p;
  REQUIRE(p.connect());
  p.wire.run(1s);
  p.b.echo_datagrams = true;
  const std::uint64_t before = p.wire.sent;
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("ping")));
  p.wire.run(1s);
  REQUIRE(p.a.datagrams.size() == 1);
  CHECK(p.wire.sent - before == 3);
}

TEST_CASE("lost datagrams are counted, not repeated") {
  Pair p;
  REQUIRE(p.connect());
  p.wire.loss = 0.2;
  constexpr std::size_t kSent = 500;
  for (std::size_t i = 0; i < kSent; ++i) {
    REQUIRE(p.a->write_datagram(p.ha(), as_bytes("probe")));
    p.wire.run(20ms);
  }
  p.wire.loss = 0;
  for (int i = 0; i < 5; ++i) {
    REQUIRE(p.a->write_datagram(p.ha(), as_bytes("probe")));
    p.wire.run(500ms);
  }
  const std::size_t arrived = p.b.datagrams.size();
  CHECK(arrived < kSent);
  // QUIC may call lost what was only late to be acknowledged, never the other way round.
  CHECK(p.a->stats(p.ha()).datagrams_lost >= kSent + 5 - arrived);
  CHECK(p.a->stats(p.ha()).datagrams_lost <= kSent);
}

TEST_CASE("statistics are those of the path") {
  Pair p;
  p.wire.delay = 20ms;
  REQUIRE(p.connect());
  for (int i = 0; i < 20; ++i) {
    REQUIRE(p.a->write_datagram(p.ha(), as_bytes("probe")));
    p.wire.run(100ms);
  }
  const Stats s = p.a->stats(p.ha());
  CHECK(s.min_rtt >= 40ms);
  CHECK(s.min_rtt < 45ms);
  CHECK(s.smoothed_rtt >= 40ms);
  CHECK(s.smoothed_rtt < 70ms);
  CHECK(s.pto > s.smoothed_rtt);
  CHECK(s.cwnd > 0);
  CHECK(s.bytes_in_flight == 0);
  CHECK(p.a->stats(Handle{77}).cwnd == 0);
}

}  // namespace pw::quic::test
