#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "unit/quic/link.hpp"

namespace pw::quic::test {
namespace {

using event::ErrorType;
using event::RejectReason;

const SocketAddress kStranger = address("198.51.100.7:77");

}  // namespace

TEST_CASE("a restarted peer says that it forgot, and is believed at once") {
  Options options;
  options.static_secret.fill(42);
  Pair p{{}, options};
  REQUIRE(p.connect());
  p.b.endpoint = p.b.make(options, 77);  // same key and secret, nothing remembered
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("are you there?")));
  p.wire.run(50ms);
  REQUIRE(p.a.ends.size() == 1);
  CHECK(p.a.ends[0].error == ErrorType::reset);
  CHECK_FALSE(p.a->alive(p.ha()));
  CHECK(p.b.rejections(RejectReason::unknown_connection) >= 1);
}

TEST_CASE("a reset keyed with another secret is not believed") {
  Options options;
  options.static_secret.fill(42);
  Pair p{{}, options};
  REQUIRE(p.connect());
  options.static_secret.fill(43);
  p.b.endpoint = p.b.make(options, 77);
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("are you there?")));
  p.wire.run(50ms);
  CHECK(p.a->alive(p.ha()));
}

TEST_CASE("a reset is shorter than what it answers, and there is none to what is short already") {
  Pair p;
  Buffer packet(200, 0x41);
  const auto answer_to = [&](std::size_t size) -> std::size_t {
    p.wire.inject(p.b, kStranger, p.b.addresses[0], ByteView{packet}.first(size));
    const auto t = p.b->poll_transmit();
    CHECK_FALSE(p.b->poll_transmit());
    return t ? t->bytes.size() : 0;
  };
  CHECK(answer_to(200) == 43);
  CHECK(answer_to(44) == 43);
  CHECK(answer_to(43) == 21);  // it may be a reset itself
  CHECK(answer_to(22) == 21);
  CHECK(answer_to(21) == 0);
  CHECK(answer_to(9) == 0);
  CHECK(p.b.rejections(RejectReason::unknown_connection) == 6);
}

TEST_CASE("two endpoints that know nothing of each other fall silent") {
  Pair p;
  p.wire.inject(p.b, p.a.addresses[0], p.b.addresses[0], Buffer(1200, 0x41));
  p.wire.run(10s);
  CHECK(p.wire.sent <= 3);  // the stray one, 43 and 21 bytes
  CHECK(p.wire.sent > 1);
}

TEST_CASE("resets are rate-limited") {
  Pair p;
  std::size_t answered = 0;
  for (int i = 0; i < 5000; ++i) {
    p.wire.inject(p.b, kStranger, p.b.addresses[0], Buffer(100, 0x41));
    while (p.b->poll_transmit()) ++answered;
  }
  CHECK(answered == 500);
  CHECK(p.b.rejections(RejectReason::unknown_connection) == 5000);
}

}  // namespace pw::quic::test
