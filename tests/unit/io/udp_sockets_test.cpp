#include "io/udp_sockets.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <numeric>
#include <optional>

#include "io/clock.hpp"
#include "io/sockaddr.hpp"

namespace pw::io {
namespace {

struct Datagram {
  PathAddress from;
  Instant received_at;
  Buffer bytes;
};

/// Port 0: the kernel chooses.
SocketAddress any_port(const char* ip) { return {IpAddress::parse(ip).value(), 0}; }

UdpSockets open(std::vector<SocketAddress> listen) {
  auto sockets = UdpSockets::open(listen);
  REQUIRE(sockets);
  return std::move(*sockets);
}

bool readable(const UdpSocket& socket, Duration within = 2s) {
  pollfd p{socket.fd(), POLLIN, 0};
  return poll(&p, 1, static_cast<int>(within / 1ms)) == 1;
}

/// Everything that arrives until `count` are there.
std::vector<Datagram> receive(UdpSockets& sockets, std::size_t count, std::size_t port = 0) {
  std::vector<Datagram> out;
  while (out.size() < count && readable(sockets.ports()[port].socket))
    sockets.receive(sockets.ports()[port], Clock::now(), [&](const PathAddress& from, Instant when, ByteView bytes) {
      out.push_back({from, when, Buffer(bytes.begin(), bytes.end())});
    });
  return out;
}

Buffer numbered(std::size_t size) {
  Buffer b(size);
  std::iota(b.begin(), b.end(), std::uint8_t{0});
  return b;
}

void send(UdpSockets& sockets, const PathAddress& path, Buffer bytes, std::size_t segment = 0) {
  REQUIRE(sockets.push({path, std::move(bytes), segment}));
  for (auto& port : sockets.ports()) REQUIRE(port.out.flush() == TransmitQueue::State::empty);
}

bool have_ipv6() { return UdpSockets::open({any_port("::1")}).has_value(); }

TEST_CASE("a datagram arrives whole, with both its addresses and the time the kernel had it") {
  auto a = open({any_port("0.0.0.0")});
  auto b = open({any_port("0.0.0.0")});
  const auto port_a = a.addresses().front().port;
  const auto port_b = b.addresses().front().port;
  // Not the address that the kernel would choose: source and destination travel by PKTINFO.
  const PathAddress path{*IpAddress::parse("127.0.0.2"), {*IpAddress::parse("127.0.0.3"), port_b}};
  // The kernel begins to stamp a moment after the first socket asks for it; until then a packet has the time of the
  // read.
  bool stamped = false;
  for (int attempt = 0; attempt < 100 && !stamped; ++attempt) {
    const Instant before = Clock::now();
    send(a, path, numbered(1200));
    const Instant sent = Clock::now();
    REQUIRE(readable(b.ports()[0].socket));
    poll(nullptr, 0, 30);  // the packet waits in the socket: its time is not that of the read
    const auto got = receive(b, 1);
    REQUIRE(got.size() == 1);
    CHECK(got[0].bytes == numbered(1200));
    CHECK(got[0].from.local == *IpAddress::parse("127.0.0.3"));
    CHECK(got[0].from.remote == SocketAddress{*IpAddress::parse("127.0.0.2"), port_a});
    stamped = got[0].received_at >= before - 1ms && got[0].received_at <= sent + 5ms;
  }
  CHECK(stamped);
}

TEST_CASE("an answer leaves from the address that was asked, over IPv6 too") {
  if (!have_ipv6()) SKIP("no IPv6 here");
  auto a = open({any_port("::")});
  auto b = open({any_port("::")});
  send(a, {IpAddress::any(Family::v6), {*IpAddress::parse("::1"), b.addresses().front().port}}, numbered(100));
  const auto got = receive(b, 1);
  REQUIRE(got.size() == 1);
  CHECK(got[0].from.local == *IpAddress::parse("::1"));
  CHECK(got[0].from.remote == SocketAddress{*IpAddress::parse("::1"), a.addresses().front().port});
  send(b, got[0].from, numbered(50));
  CHECK(receive(a, 1).at(0).bytes == numbered(50));
}

TEST_CASE("both families share a port number, each on its own socket") {
  if (!have_ipv6()) SKIP("no IPv6 here");
  auto first = open({any_port("0.0.0.0")});
  const auto port = first.addresses().front().port;
  CHECK(UdpSockets::open({{IpAddress::any(Family::v6), port}}).has_value());
}

TEST_CASE("segments of one transmit arrive as datagrams of their own") {
  auto a = open({any_port("127.0.0.1")});
  auto b = open({any_port("127.0.0.1")});
  const PathAddress path{IpAddress{}, b.addresses().front()};
  Buffer bytes(3 * 1200 + 70);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  send(a, path, bytes, 1200);
  const auto got = receive(b, 4);
  REQUIRE(got.size() == 4);
  Buffer joined;
  for (const auto& d : got) joined.insert(joined.end(), d.bytes.begin(), d.bytes.end());
  CHECK(joined == bytes);
  CHECK(got[2].bytes.size() == 1200);
  CHECK(got[3].bytes.size() == 70);
  CHECK(a.ports()[0].out.counts().sent == 4);
}

TEST_CASE("a transmit of more segments than the kernel takes at once still arrives") {
  auto a = open({any_port("127.0.0.1")});
  auto b = open({any_port("127.0.0.1")});
  send(a, {IpAddress{}, b.addresses().front()}, numbered(150 * 500 + 1), 500);
  CHECK(receive(b, 151).size() == 151);
}

TEST_CASE("a datagram longer than any of ours shows as longer than any of ours") {
  auto a = open({any_port("127.0.0.1")});
  auto b = open({any_port("127.0.0.1")});
  send(a, {IpAddress{}, b.addresses().front()}, Buffer(9000));
  const auto got = receive(b, 1);
  REQUIRE(got.size() == 1);
  CHECK(got[0].bytes.size() == kReceiveBuffer);
}

TEST_CASE("an empty datagram is a datagram") {
  auto a = open({any_port("127.0.0.1")});
  auto b = open({any_port("127.0.0.1")});
  send(a, {IpAddress{}, b.addresses().front()}, {});
  const auto got = receive(b, 1);
  REQUIRE(got.size() == 1);
  CHECK(got[0].bytes.empty());
}

TEST_CASE("a read takes one batch at most, and says that there is more") {
  auto a = open({any_port("127.0.0.1")});
  auto b = open({any_port("127.0.0.1")});
  for (std::size_t i = 0; i < kReceiveBatch + 5; ++i) send(a, {IpAddress{}, b.addresses().front()}, numbered(10));
  std::size_t taken = 0;
  const auto count = [&](const PathAddress&, Instant, ByteView) { ++taken; };
  CHECK(b.receive(b.ports()[0], Clock::now(), count).more);
  CHECK(taken == kReceiveBatch);
  CHECK_FALSE(b.receive(b.ports()[0], Clock::now(), count).more);
  CHECK(taken == kReceiveBatch + 5);
  CHECK(b.receive(b.ports()[0], Clock::now(), count).count == 0);
}

TEST_CASE("what the kernel dropped for lack of room is counted exactly once") {
  auto a = open({any_port("127.0.0.1")});
  auto b = open({any_port("127.0.0.1")});
  const int tiny = 4096;
  REQUIRE(setsockopt(b.ports()[0].socket.fd(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny) == 0);
  constexpr std::uint64_t kSent = 200;
  const PathAddress path{IpAddress{}, b.addresses().front()};
  for (std::uint64_t i = 0; i < kSent; ++i) send(a, path, numbered(1200));
  std::uint64_t received = 0;
  std::uint64_t dropped = 0;
  const auto drain = [&] {
    for (;;) {
      const auto r = b.receive(b.ports()[0], Clock::now(), [](const PathAddress&, Instant, ByteView) {});
      received += r.count;
      dropped += r.dropped;
      if (r.count == 0) return;
    }
  };
  drain();
  for (int i = 0; i < 3; ++i) {  // the count travels with every later packet
    send(a, path, numbered(1));
    drain();
  }
  CHECK(received < kSent);
  CHECK(received + dropped == kSent + 3);
}

TEST_CASE("a port in use is an error that names it") {
  auto first = open({any_port("127.0.0.1")});
  const auto second = UdpSockets::open(first.addresses());
  REQUIRE_FALSE(second);
  CHECK(second.error().detail == "UDP " + first.addresses().front().to_string() + " is in use by another program");
}

TEST_CASE("an address that is not this machine's is an error, not a missing family") {
  const auto sockets = UdpSockets::open({any_port("127.0.0.1"), any_port("2001:db8::1")});
  REQUIRE_FALSE(sockets);
  CHECK(sockets.error().detail.find("not an address of this machine") != std::string::npos);
}

TEST_CASE("two addresses of one family are refused") {
  CHECK_FALSE(UdpSockets::open({any_port("127.0.0.1"), any_port("127.0.0.2")}));
  CHECK_FALSE(UdpSockets::open({}));
}

TEST_CASE("a packet of a family without a socket is turned down") {
  auto sockets = open({any_port("127.0.0.1")});
  CHECK_FALSE(sockets.push({{IpAddress::any(Family::v6), {*IpAddress::parse("::1"), 9}}, numbered(10)}));
}

}  // namespace
}  // namespace pw::io
