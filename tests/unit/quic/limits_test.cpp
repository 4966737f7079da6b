#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "quic/source_limits.hpp"
#include "unit/quic/link.hpp"

namespace pw::quic::test {
namespace {

using event::ErrorType;
using event::RejectReason;

/// First flights that nobody follows up: `count` Initials, each from an address of its own.
std::vector<Buffer> initials(Pair& p, std::size_t count) {
  std::vector<Buffer> all;
  for (std::size_t i = 0; i < count; ++i) {
    const PathAddress to = path(p.a.addresses[0], p.b.addresses[0]);
    static_cast<void>(p.a->dial(p.wire.now(), {&to, 1}, p.b.id()).value());
    p.a->flush(p.wire.now());
    while (auto t = p.a->poll_transmit()) all.push_back(std::move(t->bytes));
  }
  return all;
}

SocketAddress stranger(std::size_t i) {
  return {IpAddress::v4({10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}), 4000};
}

/// What `side` has to say, without delivering it.
std::vector<Transmit> answers(Side& side) {
  std::vector<Transmit> all;
  while (auto t = side->poll_transmit()) all.push_back(std::move(*t));
  return all;
}

bool is_retry(ByteView packet) { return (packet[0] & 0xf0) == 0xf0; }

}  // namespace

TEST_CASE("past the threshold of half-open connections a Retry proves the address first") {
  Options busy;
  busy.retry_threshold = 2;
  Pair p{{}, busy};
  const auto flights = initials(p, 2);
  for (std::size_t i = 0; i < flights.size(); ++i) p.wire.inject(p.b, stranger(i), p.b.addresses[0], flights[i]);
  REQUIRE(p.b->half_open() == 2);
  answers(p.b);

  Side fresh{3, {address("192.0.2.3:1003")}};
  p.wire.remove(p.a);
  p.wire.add(fresh);
  p.wire.record = true;
  const PathAddress to = path(fresh.addresses[0], p.b.addresses[0]);
  fresh->dial(p.wire.now(), {&to, 1}, p.b.id()).value();
  p.wire.run(500ms);
  CHECK(fresh.ups.size() == 1);
  CHECK(p.b.ups.size() == 1);
  CHECK(std::ranges::any_of(p.wire.log, [&](const Packet& x) { return x.from == &p.b && is_retry(x.bytes); }));
  CHECK(p.b->half_open() == 2);
}

TEST_CASE("a Retry token is worth nothing at another address") {
  Options busy;
  busy.retry_threshold = 0;
  Pair p{{}, busy};
  p.wire.record = true;
  p.dial();
  p.wire.run(11ms);  // Initial, Retry, and the Initial with the token is on its way
  const auto with_token = p.wire.log.back();
  REQUIRE(with_token.from == &p.a);
  REQUIRE(p.wire.log.size() == 3);
  p.wire.remove(p.a);
  p.wire.inject(p.b, stranger(1), p.b.addresses[0], with_token.bytes);
  CHECK(p.b.rejections(RejectReason::invalid_token) == 1);
  CHECK(p.b->connections() == 0);
  const auto said = answers(p.b);
  REQUIRE(said.size() == 1);
  CHECK(said[0].path.remote == stranger(1));
  CHECK(said[0].bytes.size() < with_token.bytes.size());

  p.wire.inject(p.b, p.a.addresses[0], p.b.addresses[0], with_token.bytes);  // at its own it is
  CHECK(p.b->connections() == 1);
}

TEST_CASE("a Retry token does not outlive a change of the secret, nor ten seconds") {
  Options busy;
  busy.retry_threshold = 0;
  Pair p{{}, busy};
  p.wire.record = true;
  p.dial();
  p.wire.run(11ms);
  const auto with_token = p.wire.log.back().bytes;
  p.wire.remove(p.a);
  busy.static_secret.fill(1);
  Side other{2, p.b.addresses, busy};
  p.wire.inject(other, p.a.addresses[0], p.b.addresses[0], with_token);
  CHECK(other.rejections(RejectReason::invalid_token) == 1);
  p.wire.run(11s);
  p.wire.inject(p.b, p.a.addresses[0], p.b.addresses[0], with_token);
  CHECK(p.b.rejections(RejectReason::invalid_token) == 1);
}

TEST_CASE("one source may begin only so many connections") {
  Options slow;
  slow.initials_per_second = 2;
  slow.retry_threshold = 1000;
  Pair p{{}, slow};
  const auto flights = initials(p, 12);
  const auto from = [](std::uint16_t port) { return SocketAddress{IpAddress::v4({10, 1, 1, 1}), port}; };
  for (std::uint16_t i = 0; i < 10; ++i) p.wire.inject(p.b, from(i), p.b.addresses[0], flights[i]);
  CHECK(p.b->connections() == 4);  // two seconds' worth
  CHECK(p.b.rejections(RejectReason::rate_limited) == 6);
  p.wire.inject(p.b, stranger(1), p.b.addresses[0], flights[10]);  // another source is not concerned
  CHECK(p.b->connections() == 5);
  p.wire.remove(p.a);
  p.wire.run(600ms);
  p.wire.inject(p.b, from(99), p.b.addresses[0], flights[11]);
  CHECK(p.b->connections() == 6);
}

TEST_CASE("a /64 is one source, and the table of sources is bounded") {
  SourceLimits limits{1, 3, KeyedHash{1}};
  const auto v6 = [](std::uint8_t net, std::uint8_t host) {
    std::array<std::uint8_t, 16> b{0x20, 0x01, 0x0d, 0xb8};
    b[7] = net;
    b[15] = host;
    return PathAddress{{}, {IpAddress::v6(b), 4000}};
  };
  Instant now{1s};
  CHECK(limits.take(now, v6(1, 1)));
  CHECK(limits.take(now, v6(1, 2)));
  CHECK_FALSE(limits.take(now, v6(1, 3)));
  CHECK(limits.take(now, v6(2, 1)));
  CHECK(limits.take(now, v6(3, 1)));
  // The table is full: unknown sources share one bucket of two.
  CHECK(limits.take(now, v6(4, 1)));
  CHECK(limits.take(now, v6(5, 1)));
  CHECK_FALSE(limits.take(now, v6(6, 1)));
  CHECK(limits.sources() == 3);
  now += 3s;  // all full again: forgotten
  CHECK(limits.take(now, v6(7, 1)));
  CHECK(limits.sources() == 1);
}

TEST_CASE("half-open connections are limited, and the refused are told") {
  Options small;
  small.max_half_open = 3;
  small.retry_threshold = 100;
  Pair p{{}, small};
  const auto flights = initials(p, 3);
  for (std::size_t i = 0; i < 3; ++i) p.wire.inject(p.b, stranger(i), p.b.addresses[0], flights[i]);
  answers(p.b);
  Side fresh{3, {address("192.0.2.3:1003")}};
  p.wire.remove(p.a);
  p.wire.add(fresh);
  const PathAddress to = path(fresh.addresses[0], p.b.addresses[0]);
  fresh->dial(p.wire.now(), {&to, 1}, p.b.id()).value();
  p.wire.run(100ms);
  CHECK(p.b->half_open() == 3);
  CHECK(p.b.rejections(RejectReason::half_open_limit) == 1);
  REQUIRE(fresh.closed() != nullptr);
  CHECK(fresh.closed()->error == ErrorType::refused);
  p.wire.run(11s);  // those that went no further are given up
  CHECK(p.b->half_open() == 0);
  CHECK(p.b->connections() == 0);
  REQUIRE(p.b.ends.size() == 3);
  CHECK(p.b.ends[0].error == ErrorType::timeout);
}

TEST_CASE("a token that is not ours excuses nothing") {
  Pair p;
  Buffer packet(kUdpPayload, 0x55);
  const Buffer header{0xc0, 0, 0, 0,    1,   /* no destination ID */ 0, /* source */ 4, 1, 2, 3, 4, /* token */ 3,
                      7,    7, 7, 0x44, 0x00};
  std::ranges::copy(header, packet.begin());
  p.wire.inject(p.b, stranger(1), p.b.addresses[0], packet);
  CHECK(p.b.rejections(RejectReason::malformed) == 1);
  CHECK(p.b->connections() == 0);
  CHECK(answers(p.b).empty());
}

TEST_CASE("an unknown version is told which ones are spoken") {
  Pair p;
  Buffer packet(kUdpPayload, 0);
  const Buffer header{0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 9, 9, 9, 9};
  std::ranges::copy(header, packet.begin());
  p.wire.inject(p.b, stranger(1), p.b.addresses[0], packet);
  CHECK(p.b.rejections(RejectReason::unsupported_version) == 1);
  auto said = answers(p.b);
  REQUIRE(said.size() == 1);
  ByteReader reader{said[0].bytes};
  CHECK((reader.u8() & 0x80) != 0);
  CHECK(reader.u32() == 0);
  CHECK(reader.u8() == 4);  // the IDs change places
  CHECK(reader.u32() == 0x09090909);
  CHECK(reader.u8() == 8);
  reader.bytes(8);
  bool one = false;
  while (reader.remaining() >= 4) one |= reader.u32() == 1;
  CHECK(one);
  CHECK(reader.remaining() == 0);

  packet.resize(kUdpPayload - 1);  // too small to be answered (RFC 9000 section 6.1)
  p.wire.inject(p.b, stranger(1), p.b.addresses[0], packet);
  CHECK(p.b.rejections(RejectReason::unsupported_version) == 2);
  CHECK(answers(p.b).empty());
}

TEST_CASE("a dialler that is told of other versions only gives up") {
  Pair p;
  p.wire.record = true;
  p.dial();
  p.wire.pump();
  REQUIRE(p.wire.log.size() == 1);
  const ByteView initial{p.wire.log[0].bytes};
  const ByteView dcid = initial.subspan(6, 8), scid = initial.subspan(15, kConnectionIdSize);
  REQUIRE(initial[5] == 8);
  REQUIRE(initial[14] == kConnectionIdSize);
  Buffer answer;
  ByteWriter writer{answer};
  writer.u8(0xc0);
  writer.u32(0);
  writer.u8(kConnectionIdSize);
  writer.bytes(scid);
  writer.u8(8);
  writer.bytes(dcid);
  writer.u32(0x6b3343cf);
  p.wire.inject(p.a, stranger(1), p.a.addresses[0], answer);  // not from where it was sent
  CHECK(p.a.ends.empty());
  p.wire.inject(p.a, p.b.addresses[0], p.a.addresses[0], answer);
  REQUIRE(p.a.ends.size() == 1);
  CHECK(p.a.ends[0].error == ErrorType::protocol);
  CHECK(p.a->connections() == 0);
}

}  // namespace pw::quic::test
