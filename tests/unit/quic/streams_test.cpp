#include <catch2/catch_test_macros.hpp>

#include "unit/quic/link.hpp"

namespace pw::quic::test {

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

TEST_CASE("datagrams arrive with the path and the time they came by") {
  Pair p;
  REQUIRE(p.connect());
  REQUIRE(p.a->write_datagram(p.ha(), as_bytes("probe")));
  p.wire.run(100ms);
  REQUIRE(p.b.datagrams.size() == 1);
  CHECK(as_text(p.b.datagrams[0].bytes) == "probe");
  CHECK(p.b.datagrams[0].from.remote == p.a.addresses[0]);
}

}  // namespace pw::quic::test
