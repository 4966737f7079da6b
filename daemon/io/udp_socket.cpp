#include "io/udp_socket.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "io/clock.hpp"
#include "io/sockaddr.hpp"

namespace pw::io {
namespace {

// PKTINFO, time stamp and drop count, with room to spare.
constexpr std::size_t kControlBuffer = 256;

bool set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value) == 0; }

/// What the program can't do without.
bool set_required(int fd, Family family) {
  if (family == Family::v4) return set(fd, IPPROTO_IP, IP_PKTINFO, 1);
  return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

/// What only makes it better: an old or confined kernel may refuse it. The forced sizes need a capability.
void set_best_effort(int fd, Family family) {
  set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, kSocketBuffer)) set(fd, SOL_SOCKET, SO_RCVBUF, kSocketBuffer);
  if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, kSocketBuffer)) set(fd, SOL_SOCKET, SO_SNDBUF, kSocketBuffer);
  // Never fragment, and never let the kernel's own idea of a path's MTU refuse a packet: QUIC judges paths itself.
  if (family == Family::v4)
    set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  else
    set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

bool means_no_family(int error, const SocketAddress& address) {
  if (error == EAFNOSUPPORT || error == EPROTONOSUPPORT) return true;
  return error == EADDRNOTAVAIL && address.ip.is_unspecified();
}

std::string explain(int error, const SocketAddress& address) {
  const std::string where = "UDP " + address.to_string();
  switch (error) {
    case EADDRINUSE:
      return where + " is in use by another program";
    case EADDRNOTAVAIL:
      return where + " is not an address of this machine";
    case EACCES:
      return where + ": not permitted (ports below 1024 need CAP_NET_BIND_SERVICE)";
    default:
      return where + ": " + std::strerror(error);
  }
}

struct Ancillary {
  IpAddress local;
  WallTime stamped{};
  bool has_stamp = false;
};

template <class T>
T payload(const cmsghdr* c) {
  T value{};
  std::memcpy(&value, CMSG_DATA(c), sizeof value);
  return value;
}

Ancillary read_ancillary(msghdr& message, Family family, std::uint32_t& drops) {
  Ancillary a;
  a.local = IpAddress::any(family);
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      a.local = from_in_addr(payload<in_pktinfo>(c).ipi_spec_dst);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      a.local = from_in6_addr(payload<in6_pktinfo>(c).ipi6_addr);
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      const auto t = payload<timespec>(c);
      a.stamped = WallTime{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
      a.has_stamp = true;
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
      drops = payload<std::uint32_t>(c);
    }
  }
  return a;
}

}  // namespace

struct ReceiveBatch::Storage {
  struct Slot {
    sockaddr_storage from;
    alignas(cmsghdr) std::array<std::uint8_t, kControlBuffer> control;
    std::array<std::uint8_t, kReceiveBuffer> bytes;
  };
  std::array<mmsghdr, kReceiveBatch> messages{};
  std::array<iovec, kReceiveBatch> vectors{};
  std::array<Slot, kReceiveBatch> slots{};

  void prepare() {
    for (std::size_t i = 0; i < kReceiveBatch; ++i) {
      vectors[i] = {slots[i].bytes.data(), slots[i].bytes.size()};
      msghdr& m = messages[i].msg_hdr;
      m = {};
      m.msg_name = &slots[i].from;
      m.msg_namelen = sizeof slots[i].from;
      m.msg_iov = &vectors[i];
      m.msg_iovlen = 1;
      m.msg_control = slots[i].control.data();
      m.msg_controllen = slots[i].control.size();
    }
  }
};

ReceiveBatch::ReceiveBatch() : storage_{std::make_unique<Storage>()} {}
ReceiveBatch::ReceiveBatch(ReceiveBatch&&) noexcept = default;
ReceiveBatch& ReceiveBatch::operator=(ReceiveBatch&&) noexcept = default;
ReceiveBatch::~ReceiveBatch() = default;

Result<UdpSocket, UdpSocket::OpenError> UdpSocket::open(const SocketAddress& address, Via via) {
  const auto failed = [&](int error) {
    return tl::unexpected<OpenError>({means_no_family(error, address), explain(error, address)});
  };
  Fd fd{socket(domain_of(address.ip.family()), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd) return failed(errno);
  if (!set_required(fd.get(), address.ip.family())) return failed(errno);
  set_best_effort(fd.get(), address.ip.family());
  sockaddr_storage where{};
  const socklen_t size = to_sockaddr(address, where);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), size) != 0) return failed(errno);
  socklen_t bound_size = sizeof where;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&where), &bound_size) != 0) return failed(errno);
  return UdpSocket{std::move(fd), from_sockaddr(where), via};
}

UdpSocket::Received UdpSocket::receive(ReceiveBatch& batch, Instant now, const Take& take) {
  auto& storage = batch.storage();
  storage.prepare();
  int n = 0;
  do n = recvmmsg(fd_.get(), storage.messages.data(), kReceiveBatch, MSG_DONTWAIT, nullptr);
  while (n < 0 && errno == EINTR);
  Received received;
  if (n < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) received.error = errno;
    return received;
  }
  received.count = static_cast<std::size_t>(n);
  received.more = received.count == kReceiveBatch;
  const WallTime wall = Clock::wall();
  for (std::size_t i = 0; i < received.count; ++i) {
    std::uint32_t drops = drops_seen_;
    const Ancillary a = read_ancillary(storage.messages[i].msg_hdr, family(), drops);
    received.dropped += drops - drops_seen_;
    drops_seen_ = drops;
    const PathAddress from{a.local, from_sockaddr(storage.slots[i].from), via_};
    take(from, a.has_stamp ? received_at(a.stamped, wall, now) : now,
         ByteView{storage.slots[i].bytes}.first(storage.messages[i].msg_len));
  }
  return received;
}

}  // namespace pw::io
