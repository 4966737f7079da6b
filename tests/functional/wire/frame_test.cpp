#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "base/rng.hpp"
#include "functional/wire/checksum.hpp"
#include "functional/wire/golden.hpp"

using namespace pw;
using namespace pw::lab;

namespace {

net::Packet read(const Buffer& frame) {
  const auto ethernet = read_ethernet(frame);
  REQUIRE(ethernet);
  auto packet = read_packet(ethernet->type, ethernet->payload);
  REQUIRE(packet);
  return *packet;
}

/// Exactly as long as its bytes, so that a sanitizer sees every read beyond them.
Result<net::Packet, Unusable> read_exactly(ByteView bytes) {
  const std::unique_ptr<std::uint8_t[]> copy{new std::uint8_t[bytes.size()]};
  std::ranges::copy(bytes, copy.get());
  const auto ethernet = read_ethernet({copy.get(), bytes.size()});
  if (!ethernet) return tl::unexpected{ethernet.error()};
  return read_packet(ethernet->type, ethernet->payload);
}

/// Changes of the IPv4 header keep its checksum right.
Buffer altered(Buffer frame, std::size_t at, std::uint8_t value) {
  frame[kEthernetHeader + at] = value;
  frame[kEthernetHeader + 10] = frame[kEthernetHeader + 11] = 0;
  const auto header = std::size_t{frame[kEthernetHeader] & 0x0fU} * 4;
  const std::size_t there = std::min(header, frame.size() - kEthernetHeader);
  const auto sum = Checksum{}.add(ByteView{frame}.subspan(kEthernetHeader, there)).value();
  frame[kEthernetHeader + 10] = static_cast<std::uint8_t>(sum >> 8);
  frame[kEthernetHeader + 11] = static_cast<std::uint8_t>(sum);
  return frame;
}

Unusable why(const Buffer& frame) {
  const auto packet = read_exactly(frame);
  REQUIRE_FALSE(packet);
  return packet.error();
}

}  // namespace

TEST_CASE("a kernel's frames are read and written again byte for byte") {
  for (const Buffer& frame : {kUdpOdd, kUdpEven, kUdp6, kTcp, kTcp6, kEcho, kEcho6}) {
    const net::Packet packet = read(frame);
    CHECK(packet.ttl == 64);
    const bool v4 = packet.source.ip.family() == Family::v4;
    CHECK(kEthernetHeader + packet.size() == frame.size());
    const auto identification = static_cast<std::uint16_t>(frame[18] << 8 | frame[19]);
    Buffer expected = frame;
    if (!v4) expected[15] = expected[16] = expected[17] = 0;  // the flow label is not carried
    Buffer written;
    REQUIRE(write_frame(packet, kHost, kFarEnd, v4 ? identification : std::uint16_t{0}, written));
    CHECK(to_hex(written) == to_hex(expected));
  }
}

TEST_CASE("a packet has what the kernel's frame says") {
  const net::Packet udp = read(kUdpOdd);
  CHECK(udp.protocol == net::Protocol::udp);
  CHECK(udp.source.to_string() == "192.0.2.1:5000");
  CHECK(udp.destination.to_string() == "192.0.2.2:9470");
  CHECK(as_text(udp.payload) == "odd");
  const net::Packet tcp = read(kTcp6);
  CHECK(tcp.protocol == net::Protocol::tcp);
  CHECK(tcp.source.to_string() == "[2001:db8::1]:43108");
  CHECK(tcp.payload.size() == 40);
  const net::Packet echo = read(kEcho);
  CHECK(echo.protocol == net::Protocol::icmp);
  CHECK(echo.source.port == 0x82e6);
  CHECK(echo.destination.port == 0);
}

TEST_CASE("ports and identifiers that a NAT changed are in the frame, with right checksums") {
  for (const Buffer& frame : {kUdpOdd, kUdpEven, kTcp, kEcho}) {
    net::Packet packet = read(frame);
    packet.source = SocketAddress::parse("11.0.1.1:62001").value();
    packet.ttl = 63;
    Buffer written;
    REQUIRE(write_frame(packet, kHost, kFarEnd, 1, written));
    const net::Packet again = read(written);
    CHECK(again.source == packet.source);
    CHECK(again.ttl == 63);
    const ByteView transport = ByteView{written}.subspan(kEthernetHeader + 20);
    Checksum sum;
    if (packet.protocol != net::Protocol::icmp)
      sum.add_pseudo_header(packet.source.ip, packet.destination.ip, packet.protocol == net::Protocol::udp ? kIpUdp : kIpTcp,
                            transport.size());
    CHECK(sum.add(transport).value() == 0);
  }
}

TEST_CASE("an echo's reply carries its identifier as destination port") {
  net::Packet packet = read(kEcho);
  packet.payload[0] = 0;
  std::swap(packet.source, packet.destination);
  Buffer written;
  REQUIRE(write_frame(packet, kHost, kFarEnd, 1, written));
  const net::Packet reply = read(written);
  CHECK(reply.source.port == 0);
  CHECK(reply.destination.port == 0x82e6);
}

TEST_CASE("checksums hold for every length, odd ones too, and UDP's is never zero") {
  Rng rng{7};
  bool was_all_ones = false;
  for (std::size_t n = 0; n < 300; ++n) {
    net::Packet packet = read(n % 2 == 0 ? kUdpOdd : kUdp6);
    packet.payload.resize(n);
    rng.fill(packet.payload);
    Buffer written;
    REQUIRE(write_frame(packet, kHost, kFarEnd, 1, written));
    const ByteView transport = ByteView{written}.last(n + 8);
    CHECK(Checksum{}.add_pseudo_header(packet.source.ip, packet.destination.ip, kIpUdp, n + 8).add(transport).value() == 0);
  }
  for (std::uint32_t word = 0; word < 0x10000; ++word) {
    net::Packet packet = read(kUdpEven);
    packet.payload = {static_cast<std::uint8_t>(word >> 8), static_cast<std::uint8_t>(word)};
    Buffer written;
    REQUIRE(write_frame(packet, kHost, kFarEnd, 1, written));
    const ByteView checksum = ByteView{written}.subspan(kEthernetHeader + 20 + 6, 2);
    REQUIRE((checksum[0] | checksum[1]) != 0);
    was_all_ones = was_all_ones || (checksum[0] & checksum[1]) == 0xff;
  }
  CHECK(was_all_ones);
}

TEST_CASE("what follows the packet in its frame is not of the packet") {
  for (const Buffer& frame : {kUdpOdd, kUdp6, kTcp, kEcho}) {
    Buffer padded = frame;
    padded.insert(padded.end(), 22, 0xaa);
    CHECK(read(padded).payload == read(frame).payload);
  }
}

TEST_CASE("a frame cut anywhere is dropped") {
  for (const Buffer& frame : {kUdpOdd, kUdp6, kTcp, kTcp6, kEcho, kEcho6})
    for (std::size_t n = 0; n < frame.size(); ++n) {
      const auto packet = read_exactly(ByteView{frame}.first(n));
      REQUIRE_FALSE(packet);
      CHECK(packet.error() == Unusable::truncated);
    }
}

TEST_CASE("each kind of unusable frame is told from the others") {
  CHECK(why(kArpQuestion) == Unusable::not_ip);
  CHECK(why(altered(kUdpOdd, 0, 0x55)) == Unusable::malformed);   // version 5
  CHECK(why(altered(kUdpOdd, 0, 0x44)) == Unusable::malformed);   // a header of 16 bytes
  CHECK(why(altered(kUdpOdd, 3, 19)) == Unusable::malformed);     // shorter than its header
  CHECK(why(altered(kUdpOdd, 0, 0x46)) == Unusable::options);
  CHECK(why(altered(kUdpOdd, 6, 0x20)) == Unusable::fragment);    // more fragments
  CHECK(why(altered(kUdpOdd, 7, 1)) == Unusable::fragment);       // an offset
  CHECK(why(altered(kUdpOdd, 9, 47)) == Unusable::protocol);      // GRE
  CHECK(why(altered(kUdpOdd, 9, kIpIcmp6)) == Unusable::protocol);
  CHECK(why(altered(kUdpOdd, 16, 239)) == Unusable::multicast);
  Buffer frame = kUdpOdd;
  frame[kEthernetHeader + 10] ^= 1;
  CHECK(why(frame) == Unusable::malformed);  // the header's checksum
  frame = kUdpOdd;
  frame[kEthernetHeader + 25] = 7;
  CHECK(why(frame) == Unusable::malformed);  // a UDP length below its header
  frame[kEthernetHeader + 25] = 12;
  CHECK(why(frame) == Unusable::truncated);
  frame = kTcp;
  frame[kEthernetHeader + 20 + 12] = 0x40;
  CHECK(why(frame) == Unusable::malformed);  // a TCP header of 16 bytes
  frame[kEthernetHeader + 20 + 12] = 0xf0;
  CHECK(why(frame) == Unusable::malformed);  // of 60, in a segment of 40
  frame = kEcho;
  frame[kEthernetHeader + 20] = 3;
  CHECK(why(frame) == Unusable::protocol);  // destination unreachable
  frame = kUdp6;
  frame[kEthernetHeader + 6] = 44;
  CHECK(why(frame) == Unusable::fragment);
  frame[kEthernetHeader + 6] = 0;
  CHECK(why(frame) == Unusable::options);
  CHECK(why(kSolicitation) == Unusable::multicast);
}

TEST_CASE("whatever bytes come, nothing beyond them is read, and what is read can be written") {
  Rng rng{11};
  const std::vector<Buffer> seeds{kUdpOdd, kUdp6, kTcp, kTcp6, kEcho, kEcho6, kSolicitation};
  std::size_t read_well = 0;
  for (int round = 0; round < 50'000; ++round) {
    Buffer frame = seeds[rng.below(seeds.size())];
    for (auto flips = rng.below(4); flips > 0; --flips) frame[rng.below(frame.size())] = static_cast<std::uint8_t>(rng.next());
    frame.resize(rng.chance(0.5) ? frame.size() : rng.below(frame.size() + 40));
    const auto packet = read_exactly(frame);
    if (!packet) continue;
    ++read_well;
    Buffer written;
    REQUIRE(write_frame(*packet, kHost, kFarEnd, 1, written));
    REQUIRE(written.size() <= frame.size());
  }
  CHECK(read_well > 5'000);
}

TEST_CASE("a packet without a form on a wire makes no frame") {
  Buffer written{1, 2, 3};
  net::Packet packet = read(kTcp);
  packet.payload.resize(19);
  CHECK_FALSE(write_frame(packet, kHost, kFarEnd, 1, written));
  CHECK(written.empty());
  packet = read(kEcho);
  packet.payload.resize(7);
  CHECK_FALSE(write_frame(packet, kHost, kFarEnd, 1, written));
  packet = read(kUdpOdd);
  packet.destination = read(kUdp6).destination;
  CHECK_FALSE(write_frame(packet, kHost, kFarEnd, 1, written));
  packet = read(kUdpOdd);
  packet.payload.resize(65535 - 27);
  CHECK_FALSE(write_frame(packet, kHost, kFarEnd, 1, written));
  packet.payload.resize(65535 - 28);
  CHECK(write_frame(packet, kHost, kFarEnd, 1, written));
}
