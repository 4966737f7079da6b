#include <catch2/catch_test_macros.hpp>

#include "unit/quic/link.hpp"

namespace pw::quic::test {
namespace {

Buffer pattern(std::size_t size) {
  Buffer bytes(size);
  Rng{size}.fill(bytes);
  return bytes;
}

/// Gives `bytes` to the stream piece by piece, as its queue allows.
void transfer(Pair& p, StreamId stream, ByteView bytes, Duration limit) {
  const Instant until = p.wire.now() + limit;
  while (!bytes.empty() && p.wire.now() < until) {
    const std::size_t n = std::min<std::size_t>(bytes.size(), 16384);
    if (p.a->write_stream(p.ha(), stream, bytes.first(n), n == bytes.size()))
      bytes = bytes.subspan(n);
    else
      p.wire.run(10ms);
  }
  while (p.a->pending(p.ha(), stream) > 0 && p.wire.now() < until) p.wire.run(10ms);
}

}  // namespace

TEST_CASE("a stream carries bytes both ways and ends when both sides have finished") {
  Pair p;
  REQUIRE(p.connect());
  p.b.echo = true;
  const StreamId s = p.a->open_stream(p.ha()).value();
  REQUIRE(p.a->write_stream(p.ha(), s, as_bytes("hello "), false));
  REQUIRE(p.a->write_stream(p.ha(), s, as_bytes("world"), true));
  CHECK(p.a->pending(p.ha(), s) == 11);
  p.wire.run(100ms);
  REQUIRE(p.b.opened.size() == 1);
  CHECK(as_text(p.a.received[s]) == "hello world");
  CHECK(p.a.finished[s]);
  CHECK(p.b.finished[s]);
  CHECK(p.a->pending(p.ha(), s) == 0);
  CHECK_FALSE(p.a->write_stream(p.ha(), s, as_bytes("late")));
}

TEST_CASE("since when a stream waits for an acknowledgement is told as long as packets are under way") {
  Pair p;
  REQUIRE(p.connect());
  p.wire.run(1s);
  const StreamId s = p.a->open_stream(p.ha()).value();
  CHECK(p.a->stats(p.ha()).waiting_since == kNever);
  p.wire.filter = [](const Packet&) { return false; };
  const Instant written = p.wire.now();
  REQUIRE(p.a->write_stream(p.ha(), s, as_bytes("hello")));
  p.wire.run(500ms);  // time-outs of QUIC's are no answer
  CHECK(p.a->stats(p.ha()).waiting_since == written);
  REQUIRE(p.a->write_stream(p.ha(), s, as_bytes("world")));
  p.wire.run(100ms);
  CHECK(p.a->stats(p.ha()).waiting_since == written);
  p.wire.filter = nullptr;
  p.wire.run(3s);
  CHECK(p.a->stats(p.ha()).waiting_since == kNever);
}

TEST_CASE("both sides may open streams, and finished ones make room for others") {
  Options options;
  options.max_streams_bidi = 2;
  Pair p{options, options};
  REQUIRE(p.connect());
  p.a.echo = p.b.echo = true;
  for (int round = 0; round < 20; ++round) {
    for (auto [side, handle] : {std::pair{&p.a, p.ha()}, std::pair{&p.b, p.hb()}}) {
      const auto s = (*side)->open_stream(handle);
      REQUIRE(s);
      REQUIRE((*side)->write_stream(handle, *s, as_bytes("x"), true));
    }
    p.wire.run(100ms);
  }
  CHECK(p.a.opened.size() == 20);
  CHECK(p.b.opened.size() == 20);
  REQUIRE(p.a->open_stream(p.ha()));
  REQUIRE(p.a->open_stream(p.ha()));
  CHECK_FALSE(p.a->open_stream(p.ha()));  // the peer allows two at a time
}

TEST_CASE("a large transfer arrives whole over a wire that loses a twentieth of all packets") {
  Pair p;
  REQUIRE(p.connect());
  p.b.echo = false;
  p.wire.loss = 0.05;
  const Buffer bytes = pattern(3'000'000);
  const StreamId s = p.a->open_stream(p.ha()).value();
  transfer(p, s, bytes, 120s);
  p.wire.run(1s);
  CHECK(p.b.received[s] == bytes);
  CHECK(p.b.finished[s]);
  CHECK(p.a->alive(p.ha()));
}

TEST_CASE("bulk leaves in segments of one size") {
  Pair p;
  REQUIRE(p.connect());
  const Buffer bytes = pattern(500'000);
  const StreamId s = p.a->open_stream(p.ha()).value();
  REQUIRE(p.a->write_stream(p.ha(), s, bytes, true));
  p.a->flush(p.wire.now());
  std::size_t segments = 0, transmits = 0;
  while (auto t = p.a->poll_transmit()) {
    ++transmits;
    CHECK(t->bytes.size() <= 16 * kUdpPayload);
    if (t->segment_size != 0) CHECK(t->segment_size == kUdpPayload);
    segments += (t->bytes.size() + kUdpPayload - 1) / kUdpPayload;
  }
  CHECK(segments > 4);
  CHECK(transmits <= segments / 4 + 1);
}

TEST_CASE("a full queue refuses without taking anything, and tells when there is room again") {
  Options options;
  options.max_queued_stream_bytes = 10'000;
  Pair p{options};
  REQUIRE(p.connect());
  const StreamId s = p.a->open_stream(p.ha()).value();
  REQUIRE(p.a->write_stream(p.ha(), s, pattern(8'000)));
  CHECK_FALSE(p.a->write_stream(p.ha(), s, pattern(2'001)));
  CHECK(p.a->pending(p.ha(), s) == 8'000);
  CHECK(p.a.drained.empty());
  p.wire.run(200ms);
  REQUIRE_FALSE(p.a.drained.empty());
  CHECK(p.a.drained[0].stream == s);
  CHECK(p.a->pending(p.ha(), s) == 0);
  CHECK(p.b.received[s].size() == 8'000);
  CHECK(p.a->write_stream(p.ha(), s, pattern(10'000)));
}

TEST_CASE("who does not use up what arrives is not sent more than its window") {
  Options options;
  options.stream_window = 20'000;
  Pair p{{}, options};
  REQUIRE(p.connect());
  p.b.consume = false;
  const StreamId s = p.a->open_stream(p.ha()).value();
  REQUIRE(p.a->write_stream(p.ha(), s, pattern(100'000)));
  p.wire.run(2s);
  CHECK(p.b.received[s].size() == 20'000);
  p.b->consume(p.hb(), s, 20'000);
  p.wire.run(2s);
  CHECK(p.b.received[s].size() == 40'000);
  p.b->consume(p.hb(), s, 1'000'000);  // more than came: counts as what came
  p.wire.run(2s);
  CHECK(p.b.received[s].size() == 60'000);
  CHECK(p.a->alive(p.ha()));
}

TEST_CASE("commands on streams that don't exist are refused") {
  Pair p;
  const Handle early = p.dial();
  CHECK_FALSE(p.a->open_stream(early));  // not established yet
  p.wire.run(1s);
  CHECK_FALSE(p.a->write_stream(p.ha(), 4, as_bytes("x")));
  CHECK_FALSE(p.a->write_stream(p.ha(), 3, as_bytes("x")));
  CHECK_FALSE(p.a->write_stream(Handle{77}, 0, as_bytes("x")));
  p.a->consume(p.ha(), 400, 10);
  p.a->consume(Handle{77}, 0, 10);
  const StreamId s = p.a->open_stream(p.ha()).value();
  REQUIRE(p.a->write_stream(p.ha(), s, {}, true));
  CHECK_FALSE(p.a->write_stream(p.ha(), s, as_bytes("x")));
  p.wire.run(100ms);
  CHECK(p.b.finished[s]);
}

}  // namespace pw::quic::test
