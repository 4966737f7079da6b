#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <numeric>

#include "unit/quic/link.hpp"

namespace pw::quic::test {
namespace {

const SocketAddress kStranger = address("198.51.100.7:77");

std::size_t all_rejections(const Side& side) {
  return std::accumulate(side.rejected.begin(), side.rejected.end(), std::size_t{0},
                         [](std::size_t n, const auto& r) { return n + r.second; });
}

/// Two connected sides that exchange a little of everything, every packet recorded.
std::vector<Packet> conversation(Pair& p) {
  p.wire.record = true;
  REQUIRE(p.connect());
  p.b.echo = true;
  const StreamId s = p.a->open_stream(p.ha()).value();
  REQUIRE(p.a->write_stream(p.ha(), s, Buffer(5000, 3)));
  REQUIRE(p.a->write_datagram(p.ha(), Buffer(100, 1)));
  p.wire.run(200ms);
  p.wire.record = false;
  return p.wire.log;
}

bool still_works(Pair& p) {
  const std::size_t before = p.b.datagrams.size();
  if (!p.a->write_datagram(p.ha(), as_bytes("alive"))) return false;
  p.wire.run(200ms);
  return p.b.datagrams.size() == before + 1;
}

}  // namespace

TEST_CASE("random bytes are counted by reason and harm nobody") {
  Pair p;
  REQUIRE(p.connect());
  Rng rng{99};
  constexpr std::size_t kCount = 50'000;
  Buffer bytes;
  for (std::size_t i = 0; i < kCount; ++i) {
    bytes.resize(rng.below(i % 8 == 0 ? 2048 : 64));
    rng.fill(bytes);
    p.wire.inject(p.b, kStranger, p.b.addresses[0], bytes);
    while (p.b->poll_transmit()) {
    }
  }
  CHECK(all_rejections(p.b) == kCount);
  CHECK(p.b->connections() == 1);
  CHECK(still_works(p));
}

TEST_CASE("long headers with random contents are counted and leave no connections behind") {
  Pair p;
  Rng rng{7};
  constexpr std::size_t kCount = 20'000;
  for (std::size_t i = 0; i < kCount; ++i) {
    Buffer bytes(rng.chance(0.7) ? kUdpPayload : rng.below(kUdpPayload));
    rng.fill(bytes);
    const Buffer header{
        static_cast<std::uint8_t>(0xc0 | rng.below(0x40)), 0, 0, 0, static_cast<std::uint8_t>(rng.below(2)),
        static_cast<std::uint8_t>(rng.below(22))};
    std::copy_n(header.begin(), std::min(header.size(), bytes.size()), bytes.begin());
    const SocketAddress from{IpAddress::v4({10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}),
                             1};
    p.wire.inject(p.b, from, p.b.addresses[0], bytes);
    while (p.b->poll_transmit()) {
    }
  }
  CHECK(all_rejections(p.b) == kCount);
  CHECK(p.b->connections() == 0);
  CHECK(p.b->half_open() == 0);
}

TEST_CASE("real packets with flipped bits, cut, and repeated neither crash nor break the connection") {
  Pair p;
  const auto packets = conversation(p);
  Rng rng{5};
  for (std::size_t i = 0; i < 30'000; ++i) {
    const Packet& original = packets[rng.below(packets.size())];
    Buffer bytes = original.bytes;
    if (rng.chance(0.9))
      for (std::uint64_t flips = 1 + rng.below(4); flips > 0; --flips)
        bytes[rng.below(rng.chance(0.5) ? std::min<std::size_t>(40, bytes.size()) : bytes.size())] ^=
            static_cast<std::uint8_t>(1U << rng.below(8));
    if (rng.chance(0.3)) bytes.resize(rng.below(bytes.size()));
    Side& to = original.from == &p.a ? p.b : p.a;
    p.wire.inject(to, original.source, original.destination, bytes);
    if (i % 100 == 0) p.wire.run(1ms);
  }
  p.wire.run(30s);
  CHECK(p.a->connections() == 1);
  CHECK(p.b->connections() == 1);
  CHECK(still_works(p));
}

TEST_CASE("a handshake whose packets are damaged in every way ends one way or the other") {
  std::size_t up = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Pair p{{}, {}, seed};
    p.wire.record = true;
    p.dial();
    Rng rng{seed};
    for (int step = 0; step < 40; ++step) {
      p.wire.run(2ms);
      if (p.wire.log.empty()) continue;
      const Packet& original = p.wire.log[rng.below(p.wire.log.size())];
      Buffer bytes = original.bytes;
      bytes[rng.below(std::min<std::size_t>(60, bytes.size()))] ^= static_cast<std::uint8_t>(1U << rng.below(8));
      if (rng.chance(0.3)) bytes.resize(rng.below(bytes.size() + 1));
      p.wire.inject(original.from == &p.a ? p.b : p.a, original.source, original.destination, bytes);
    }
    p.wire.run(15s);
    up += p.a.ups.size();
    CHECK(p.a.ups.size() + p.a.ends.size() >= 1);
    CHECK(p.b->half_open() == 0);
  }
  CHECK(up > 250);
}

}  // namespace pw::quic::test
