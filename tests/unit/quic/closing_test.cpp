#include <catch2/catch_test_macros.hpp>

#include <malloc.h>
#include <algorithm>

#include "unit/quic/link.hpp"

namespace pw::quic::test {

using event::ErrorType;

TEST_CASE("a close arrives with its code and its reason, made printable and cut") {
  Pair p;
  REQUIRE(p.connect());
  const std::string reason = "go\naway\x1b[31m" + std::string(500, 'x');
  p.a->close(p.wire.now(), p.ha(), 0x107, reason);
  CHECK_FALSE(p.a->alive(p.ha()));
  p.wire.run(100ms);
  REQUIRE(p.a.ends.size() == 1);
  CHECK(p.a.ends[0].local);
  CHECK(p.a.ends[0].application_code == 0x107U);
  REQUIRE(p.b.ends.size() == 1);
  CHECK_FALSE(p.b.ends[0].local);
  CHECK(p.b.ends[0].application_code == 0x107U);
  CHECK(p.b.ends[0].detail.starts_with("go?away?[31mxxx"));
  CHECK(p.b.ends[0].detail.size() == 128);
  CHECK(p.b.ends[0].peer == p.a.id());
  CHECK(p.b.ends[0].remote == p.a.addresses[0]);
  CHECK_FALSE(p.b->alive(p.hb()));
}

TEST_CASE("what was written before the close arrives before it") {
  Pair p;
  REQUIRE(p.connect());
  const StreamId s = p.a->open_stream(p.ha()).value();
  REQUIRE(p.a->write_stream(p.ha(), s, as_bytes("goodbye")));
  p.a->close(p.wire.now(), p.ha(), 1, "");
  p.wire.run(100ms);
  CHECK(as_text(p.b.received[s]) == "goodbye");
  CHECK(p.b.ends.size() == 1);
}

TEST_CASE("after a local close no event follows but Closed") {
  Pair p;
  REQUIRE(p.connect());
  REQUIRE(p.b->write_datagram(p.hb(), as_bytes("too late")));
  p.b->flush(p.wire.now());
  const auto packet = p.b->poll_transmit().value();
  p.a->handle_datagram(p.wire.now(), p.wire.now(), path(p.a.addresses[0], p.b.addresses[0]), packet.bytes);
  p.a->close(p.wire.now(), p.ha(), 1, "");
  const auto first = p.a->poll_event();
  REQUIRE(first);
  CHECK(std::holds_alternative<Closed>(*first));
  CHECK_FALSE(p.a->poll_event());
}

TEST_CASE("a lost close is repeated when the peer goes on, not for every packet, and ends after three PTO") {
  Pair p;
  REQUIRE(p.connect());
  p.wire.run(1s);
  p.wire.loss = 1;
  p.a->close(p.wire.now(), p.ha(), 7, "lost");
  p.wire.pump();
  p.wire.loss = 0;
  p.wire.record = true;
  for (int i = 0; i < 20; ++i) REQUIRE(p.b->write_datagram(p.hb(), Buffer(1000, 1)));
  const Instant until = p.wire.now() + 5ms;
  while (p.wire.now() < until) p.wire.run(1ms);
  const auto said = std::ranges::count(p.wire.log, &p.a, &Packet::from);
  const auto heard = std::ranges::count(p.wire.log, &p.b, &Packet::from);
  REQUIRE(heard > 8);
  CHECK(said >= 1);
  CHECK(said <= 5);  // of 16: the 1st, 2nd, 4th, 8th, 16th
  p.wire.run(1s);
  REQUIRE(p.b.ends.size() == 1);
  CHECK(p.b.ends[0].application_code == 7U);
  CHECK(p.a->poll_timeout() == kNever);  // nothing is left of it
  CHECK(p.b->poll_timeout() == kNever);
}

TEST_CASE("who has been closed stays silent") {
  Pair p;
  REQUIRE(p.connect());
  p.wire.record = true;
  p.a->close(p.wire.now(), p.ha(), 7, "");
  p.wire.run(2s);
  CHECK(std::ranges::count(p.wire.log, &p.b, &Packet::from) == 0);
}

TEST_CASE("a dial that is given up ends the attempt at the other end too") {
  Pair p;
  const Handle handle = p.dial();
  p.wire.run(7ms);
  REQUIRE(p.b->half_open() == 1);
  p.a->close(p.wire.now(), handle, 1, "changed my mind");
  p.wire.run(100ms);
  CHECK(p.b->half_open() == 0);
  REQUIRE(p.b.ends.size() == 1);
  CHECK(p.b.ends[0].error == ErrorType::refused);
}

TEST_CASE("a dial that is closed before its first packet sends nothing") {
  Pair p;
  const Handle handle = p.dial();
  p.a->close(p.wire.now(), handle, 1, "");
  p.wire.run(1s);
  CHECK(p.wire.sent == 0);
  REQUIRE(p.a.ends.size() == 1);
  CHECK(p.a.ends[0].local);
}

TEST_CASE("nobody answers: the dial ends as a time-out") {
  Options options;
  options.handshake_timeout = 3s;
  Pair p{options};
  p.wire.remove(p.b);
  p.dial();
  p.wire.run(2900ms);
  CHECK(p.a.ends.empty());
  CHECK(p.wire.sent >= 3);
  p.wire.run(200ms);
  REQUIRE(p.a.ends.size() == 1);
  CHECK(p.a.ends[0].error == ErrorType::timeout);
  CHECK(p.a->connections() == 0);
}

TEST_CASE("silence until the idle timeout ends a connection at both ends") {
  Options options;
  options.idle_timeout = 5s;
  Pair p{options, {}};
  REQUIRE(p.connect());
  p.wire.loss = 1;
  p.wire.run(3900ms);
  CHECK(p.a->alive(p.ha()));
  p.wire.run(2s);
  REQUIRE(p.a.ends.size() == 1);
  CHECK(p.a.ends[0].error == ErrorType::timeout);
  REQUIRE(p.b.ends.size() == 1);  // the shorter of both timeouts counts
  CHECK(p.b.ends[0].error == ErrorType::timeout);
}

TEST_CASE("the last statistics of a connection can be asked when its Closed is polled") {
  Options options;
  options.idle_timeout = 5s;
  Pair p{options, {}};
  REQUIRE(p.connect());
  p.wire.remove(p.a);
  const Handle handle = p.ha();
  while (p.a->alive(handle)) p.a->handle_timeout(p.a->poll_timeout());
  REQUIRE(p.a->poll_event());
  CHECK(p.a->stats(handle).min_rtt == 10ms);
  p.a->handle_timeout(p.a->poll_timeout());
  CHECK(p.a->poll_timeout() == kNever);
}

TEST_CASE("a thousand connections that came and went leave nothing behind") {
  Options generous;
  generous.initials_per_second = 1e6;
  Pair p{generous, generous};
  const auto cycle = [&] {
    REQUIRE(p.connect());
    const StreamId s = p.a->open_stream(p.ha()).value();
    REQUIRE(p.a->write_stream(p.ha(), s, as_bytes("hello")));
    p.wire.run(50ms);
    p.b->close(p.wire.now(), p.hb(), 1, "bye");
    p.wire.run(1s);
    p.a.ups.clear(), p.a.ends.clear(), p.a.received.clear(), p.a.drained.clear(), p.a.finished.clear();
    p.b.ups.clear(), p.b.ends.clear(), p.b.received.clear(), p.b.opened.clear(), p.b.finished.clear();
  };
  for (int i = 0; i < 100; ++i) cycle();
  const std::size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 1000; ++i) cycle();
  const std::size_t after = mallinfo2().uordblks;
  CHECK(p.a->connections() == 0);
  CHECK(p.b->connections() == 0);
  CHECK(p.a->poll_timeout() == kNever);
  CHECK(p.b->poll_timeout() == kNever);
  CHECK(after < before + 64 * 1024);  // under a sanitizer both are 0, and the leak checker looks
}

}  // namespace pw::quic::test
