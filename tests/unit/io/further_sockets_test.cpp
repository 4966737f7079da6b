#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <optional>
#include <vector>

#include "io/clock.hpp"
#include "io/udp_sockets.hpp"

namespace pw::io {
namespace {

constexpr Via kFirst{7}, kSecond{8};

UdpSockets loopback() {
  auto sockets = UdpSockets::open({{*IpAddress::parse("127.0.0.1"), 0}});
  REQUIRE(sockets);
  return std::move(*sockets);
}

/// The one datagram that comes in by `port`.
std::optional<PathAddress> arrival(UdpSockets& sockets, UdpSockets::Port& port) {
  pollfd p{port.socket.fd(), POLLIN, 0};
  if (poll(&p, 1, 2000) != 1) return std::nullopt;
  std::optional<PathAddress> from;
  sockets.receive(port, Clock::now(), [&](const PathAddress& path, Instant, ByteView) { from = path; });
  return from;
}

void send(UdpSockets& sockets, UdpSockets::Port& out, const SocketAddress& to, Via via) {
  REQUIRE(sockets.push({{IpAddress{}, to, via}, Buffer{1, 2, 3}}));
  REQUIRE(out.out.flush() == TransmitQueue::State::empty);
}

TEST_CASE("a further socket sends from a port of its own, and what it gets is marked with its name") {
  auto a = loopback();
  auto b = loopback();
  const auto further = a.open(kFirst, Family::v4);
  REQUIRE(further);
  const SocketAddress own = a.addresses().front();
  const SocketAddress other = (*further)->socket.address();
  CHECK(other.ip == own.ip);
  CHECK(other.port != own.port);

  send(a, **further, b.addresses().front(), kFirst);
  const auto at_b = arrival(b, b.ports()[0]);
  REQUIRE(at_b);
  CHECK(at_b->remote == other);
  CHECK(at_b->via == Via::own);

  send(b, b.ports()[0], other, Via::own);
  const auto back = arrival(a, **further);
  REQUIRE(back);
  CHECK(back->via == kFirst);
  CHECK(back->remote == b.addresses().front());
}

TEST_CASE("a further socket may be asked for at an address and port, and is refused where that is taken") {
  auto a = loopback();
  const auto free = loopback().addresses().front().port;
  const SocketAddress there{*IpAddress::parse("127.0.0.2"), free};
  const auto further = a.open(kFirst, Family::v4, there);
  REQUIRE(further);
  CHECK((*further)->socket.address() == there);
  auto b = loopback();
  send(b, b.ports()[0], there, Via::own);
  const auto got = arrival(a, **further);
  REQUIRE(got);
  CHECK(got->local == there.ip);
  CHECK_FALSE(a.open(kSecond, Family::v4, there));
  CHECK_FALSE(a.open(kSecond, Family::v4, SocketAddress{*IpAddress::parse("192.0.2.1"), 0}));  // not this machine's
}

TEST_CASE("what further sockets send leaves in the order in which it was queued, whichever is flushed first") {
  auto a = loopback();
  auto b = loopback();
  const auto first = a.open(kFirst, Family::v4);
  const auto second = a.open(kSecond, Family::v4);
  REQUIRE((first && second));
  const SocketAddress to = b.addresses().front();
  for (const Via via : {kFirst, kSecond, kSecond, kFirst}) REQUIRE(a.push({{IpAddress{}, to, via}, Buffer{1}}));
  for (UdpSockets::Port* port : {*second, *first}) REQUIRE(port->out.flush() == TransmitQueue::State::empty);
  std::vector<SocketAddress> from;
  while (from.size() < 4) {
    pollfd p{b.ports()[0].socket.fd(), POLLIN, 0};
    REQUIRE(poll(&p, 1, 2000) == 1);
    b.receive(b.ports()[0], Clock::now(), [&](const PathAddress& path, Instant, ByteView) { from.push_back(path.remote); });
  }
  const SocketAddress one = (*first)->socket.address();
  const SocketAddress two = (*second)->socket.address();
  CHECK(from == std::vector{one, two, two, one});
}

TEST_CASE("what is for a socket that was closed is dropped, and its neighbour lives on") {
  auto a = loopback();
  auto b = loopback();
  REQUIRE(a.open(kFirst, Family::v4));
  const auto second = a.open(kSecond, Family::v4);
  REQUIRE(second);
  a.close(kFirst);
  a.close(kFirst);
  CHECK_FALSE(a.push({{IpAddress{}, b.addresses().front(), kFirst}, Buffer{1}}));
  send(a, **second, b.addresses().front(), kSecond);
  CHECK(arrival(b, b.ports()[0]));
}

TEST_CASE("there is no further socket of a family that this node has not, nor beyond the limit") {
  auto a = loopback();
  CHECK_FALSE(a.open(kFirst, Family::v6));
  for (std::uint32_t i = 0; i < UdpSockets::kMaxFurther; ++i) REQUIRE(a.open(Via{100 + i}, Family::v4));
  CHECK_FALSE(a.open(kFirst, Family::v4));
  a.close(Via{100});
  CHECK(a.open(kFirst, Family::v4));
}

/// The hop limit that packets carry when they arrive, as a plain socket sees it.
int hop_limit_of(Family family, std::uint8_t ttl) {
  const bool four = family == Family::v4;
  const IpAddress loop = *IpAddress::parse(four ? "127.0.0.1" : "::1");
  auto a = UdpSockets::open({{loop, 0}});
  auto b = UdpSockets::open({{loop, 0}});
  REQUIRE((a && b));
  const int fd = b->ports()[0].socket.fd();
  const int on = 1;
  REQUIRE(setsockopt(fd, four ? int{IPPROTO_IP} : int{IPPROTO_IPV6}, four ? IP_RECVTTL : IPV6_RECVHOPLIMIT, &on,
                     sizeof on) == 0);
  REQUIRE(a->push({{IpAddress::any(family), b->addresses().front()}, Buffer{1}, 0, ttl}));
  REQUIRE(a->ports()[0].out.flush() == TransmitQueue::State::empty);
  pollfd p{fd, POLLIN, 0};
  REQUIRE(poll(&p, 1, 2000) == 1);
  std::uint8_t byte = 0;
  iovec vector{&byte, 1};
  alignas(cmsghdr) std::array<std::uint8_t, 256> control{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  REQUIRE(recvmsg(fd, &message, 0) == 1);
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
        (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
      int value = 0;
      std::memcpy(&value, CMSG_DATA(c), sizeof value);
      return value;
    }
  }
  return -1;
}

TEST_CASE("a packet leaves with the hop limit that it asks for, and by default with the system's") {
  CHECK(hop_limit_of(Family::v4, 3) == 3);
  CHECK(hop_limit_of(Family::v4, 0) > 3);
  if (!UdpSockets::open({{*IpAddress::parse("::1"), 0}})) SKIP("no IPv6 here");
  CHECK(hop_limit_of(Family::v6, 5) == 5);
  CHECK(hop_limit_of(Family::v6, 0) > 5);
}

}  // namespace
}  // namespace pw::io
