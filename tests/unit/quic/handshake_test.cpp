#include <catch2/catch_test_macros.hpp>

#include "unit/quic/link.hpp"

namespace pw::quic::test {

using event::ErrorType;

TEST_CASE("a handshake proves both keys to each other") {
  Pair p;
  REQUIRE(p.connect());
  CHECK(p.a.established()->peer == p.b.id());
  CHECK(p.a.established()->dialled);
  CHECK(p.b.established()->peer == p.a.id());
  CHECK_FALSE(p.b.established()->dialled);
  CHECK(p.a.established()->path.remote == p.b.addresses[0]);
  CHECK(p.b.established()->path.remote == p.a.addresses[0]);
  CHECK(p.a->alive(p.ha()));
  CHECK(p.b->half_open() == 0);
}

TEST_CASE("a dialler may speak a round trip after the dial, and has its answer a round trip later", "[real]") {
  Pair p;
  p.b.echo = true;
  p.dial();
  p.wire.run(2 * p.wire.delay + 1ms);
  REQUIRE(p.a.established());
  CHECK(p.b.ups.empty());  // that flight is under way
  const StreamId stream = p.a->open_stream(p.ha()).value();
  const Buffer words{1, 2, 3};
  REQUIRE(p.a->write_stream(p.ha(), stream, words));
  p.wire.run(2 * p.wire.delay + 1ms);
  CHECK(p.a.received[stream] == words);
  CHECK(p.b.ups.size() == 1);
}

TEST_CASE("what a dialler says in vain, because the last flight of its handshake was lost, comes later", "[real]") {
  Pair p;
  p.b.echo = true;
  p.dial();
  p.wire.run(2 * p.wire.delay);
  p.wire.loss = 1;
  p.wire.run(1ms);
  REQUIRE(p.a.established());
  const StreamId stream = p.a->open_stream(p.ha()).value();
  const Buffer words{1, 2, 3};
  REQUIRE(p.a->write_stream(p.ha(), stream, words));
  p.wire.run(10ms);
  p.wire.loss = 0;
  p.wire.run(1s);
  CHECK(p.b.ups.size() == 1);
  CHECK(p.a.received[stream] == words);
}

TEST_CASE("the exporter is equal at both ends and differs from connection to connection") {
  Pair p;
  REQUIRE(p.connect());
  const auto first = p.a->exporter(p.ha());
  CHECK(first == p.b->exporter(p.hb()));
  CHECK(first != std::array<std::uint8_t, 32>{});
  REQUIRE(p.connect());
  CHECK(p.a->exporter(p.ha()) == p.b->exporter(p.hb()));
  CHECK(p.a->exporter(p.ha()) != first);
}

TEST_CASE("another key than the expected one is refused, and both ends are told why") {
  Pair p;
  const Identity other = identity(9);
  const PathAddress to = path(p.a.addresses[0], p.b.addresses[0]);
  const Handle handle = p.a->dial(p.wire.now(), {&to, 1}, other.id()).value();
  p.wire.run(2s);
  CHECK(p.a.ups.empty());
  CHECK(p.b.ups.empty());
  REQUIRE(p.a.closed() != nullptr);
  CHECK(p.a.closed()->connection == handle);
  CHECK(p.a.closed()->error == ErrorType::tls);
  CHECK_FALSE(p.a.closed()->local);
  CHECK(p.a.closed()->detail.find(p.b.id().to_short()) != std::string::npos);
  CHECK(p.a.closed()->detail.find(other.id().to_short()) != std::string::npos);
  REQUIRE(p.b.closed() != nullptr);
  CHECK(p.b.closed()->error == ErrorType::tls);
  CHECK(p.b.closed()->detail.find(other.id().to_short()) != std::string::npos);
  CHECK(p.a->connections() == 0);
  CHECK(p.b->connections() == 0);
}

}  // namespace pw::quic::test
