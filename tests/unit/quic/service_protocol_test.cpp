#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <set>

#include "unit/quic/link.hpp"

namespace pw::quic::test {
namespace {

struct ServicePair : Pair {
  using Pair::Pair;
  Handle dial_service() {
    const PathAddress to = path(a.addresses[0], b.addresses[0]);
    return a->dial(wire.now(), {&to, 1}, b.id(), Protocol::service).value();
  }
  void connect_service() {
    dial_service();
    wire.run(1s);
    REQUIRE(a.established() != nullptr);
    REQUIRE(b.established() != nullptr);
  }
};

std::size_t largest(const std::vector<Packet>& log) {
  std::size_t size = 0;
  for (const Packet& p : log) size = std::max(size, p.bytes.size());
  return size;
}

}  // namespace

TEST_CASE("both ends know what a connection is for") {
  ServicePair p;
  p.dial();
  p.dial_service();
  p.wire.run(1s);
  for (const Side* side : {&p.a, &p.b}) {
    REQUIRE(side->ups.size() == 2);
    CHECK(std::ranges::count(side->ups, Protocol::peer, &Established::protocol) == 1);
    CHECK(std::ranges::count(side->ups, Protocol::service, &Established::protocol) == 1);
  }
}

TEST_CASE("an acceptor that speaks no such protocol refuses") {
  Options other;
  other.service_alpn = "something else";
  ServicePair p{Options{}, other};
  p.dial_service();
  p.wire.run(1s);
  CHECK(p.a.ups.empty());
  REQUIRE(p.a.closed() != nullptr);
  CHECK(p.a.closed()->error == event::ErrorType::tls);
}

TEST_CASE("handshakes are of the size of all, packets of an established service connection of theirs") {
  ServicePair p;
  p.wire.record = true;
  p.connect_service();
  CHECK(largest(p.wire.log) == kUdpPayload);
  const auto stream = p.a->open_stream(p.ha());
  REQUIRE(stream);
  p.wire.log.clear();
  REQUIRE(p.a->write_stream(p.ha(), *stream, Buffer(100000, 1)));
  p.wire.run(1s);
  CHECK(p.b.received_bytes == 100000);
  CHECK(largest(p.wire.log) == kServiceUdpPayload);
}

TEST_CASE("a service's largest datagram is a packet and its channel, in one packet each way") {
  static_assert(kMaxServiceDatagram == 1202);
  ServicePair p;
  p.connect_service();
  p.wire.record = true;
  for (int i = 0; i < 50; ++i) {
    REQUIRE(p.a->write_datagram(p.ha(), Buffer(kMaxServiceDatagram, 7)));
    REQUIRE(p.b->write_datagram(p.hb(), Buffer(kMaxServiceDatagram, 8)));
    p.wire.run(20ms);
  }
  CHECK(p.b.datagrams.size() == 50);
  CHECK(p.a.datagrams.size() == 50);
  CHECK(largest(p.wire.log) <= kServiceUdpPayload);
  CHECK_FALSE(p.a->write_datagram(p.ha(), Buffer(kMaxServiceDatagram + 1, 7)));
  CHECK(p.a->take_dropped_datagrams() == 0);
}

TEST_CASE("a service's datagrams are acknowledged several at a time, and the last of them soon", "[real]") {
  ServicePair p;
  p.connect_service();
  p.wire.run(1s);
  const auto send = [&](std::size_t n) {
    for (; n > 0; --n) {
      REQUIRE(p.a->write_datagram(p.ha(), Buffer(kMaxServiceDatagram, 7)));
      p.wire.run(400us);
    }
  };
  const std::uint64_t before = p.wire.sent;
  send(100);
  p.wire.run(50ms);
  CHECK(p.b.datagrams.size() == 100);
  CHECK(p.wire.sent - before <= 100 + 15);
  send(3);
  p.wire.run(2 * p.wire.delay + 7ms);
  CHECK(p.b.datagrams.size() == 103);
  CHECK(p.a->stats(p.ha()).bytes_in_flight == 0);
  CHECK(p.a->stats(p.ha()).datagrams_lost == 0);
}

TEST_CASE("it fits whatever the length of the packet number", "[real]") {
  // RFC 9000 section 17.1: a number is written so that its distance to the last acknowledged one can be told. Acknowledged
  // up to there, the window is grown; then nothing is, until the distance asks for three bytes.
  ServicePair p;
  p.connect_service();
  p.wire.delay = 1ms;
  constexpr std::size_t kEnough = 50000;
  const auto send = [&] {
    const bool queued = p.a->write_datagram(p.ha(), Buffer(kMaxServiceDatagram, 7));
    p.a->flush(p.wire.now());
    return queued && p.a->queued_datagrams(p.ha()) == 0;
  };
  for (int round = 0; round < 30 && p.a->stats(p.ha()).cwnd < kEnough * kServiceUdpPayload; ++round) {
    while (send()) continue;  // a window grows only when it is used up
    p.wire.run(10ms);
    p.b.datagrams.clear();
  }
  REQUIRE(p.a->stats(p.ha()).cwnd >= kEnough * kServiceUdpPayload);
  CHECK(p.a->take_dropped_datagrams() == 0);
  std::map<std::size_t, std::size_t> sizes;
  for (std::size_t i = 0; i < 40000; ++i) {
    REQUIRE(send());
    while (auto t = p.a->poll_transmit()) {
      CHECK(t->segment_size == 0);
      ++sizes[t->bytes.size()];
    }
  }
  CHECK(p.a->queued_datagrams(p.ha()) == 0);
  // One, two and three bytes; the fourth is what is left.
  CHECK(sizes.size() == 3);
  CHECK(sizes[kServiceUdpPayload - 3] > 100);
  CHECK(sizes[kServiceUdpPayload - 2] > 30000);
  CHECK(sizes[kServiceUdpPayload - 1] > 5000);
}

TEST_CASE("what waits for congestion control is told") {
  ServicePair p;
  p.connect_service();
  CHECK(p.a->queued_datagrams(p.ha()) == 0);
  for (int i = 0; i < 60; ++i) REQUIRE(p.a->write_datagram(p.ha(), Buffer(kMaxServiceDatagram, 7)));
  CHECK(p.a->queued_datagrams(p.ha()) == 60);
  p.a->flush(p.wire.now());
  CHECK(p.a->queued_datagrams(p.ha()) < 60);
  CHECK(p.a->queued_datagrams(p.ha()) > 20);
  p.wire.run(1s);
  CHECK(p.a->queued_datagrams(p.ha()) == 0);
  CHECK(p.b.datagrams.size() == 60);
  CHECK(p.a->queued_datagrams(Handle{77}) == 0);
}

}  // namespace pw::quic::test
