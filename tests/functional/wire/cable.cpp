#include "functional/wire/cable.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "functional/wire/clock.hpp"

namespace pw::lab {
namespace {

constexpr unsigned kBlock = 64 << 10;
constexpr std::size_t kRing = std::size_t{Cable::kRingFrames} * Cable::kSlot;
static_assert(kRing % kBlock == 0);

tl::unexpected<Error> failed(const std::string& what) { return fail(what + ": " + std::strerror(errno)); }

template <class T>
bool set(int fd, int level, int option, const T& value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/// Locally administered, and no two interfaces of a namespace have the same.
Mac mac_of(unsigned index) {
  return {0x02, 0x70, 0x77, static_cast<std::uint8_t>(index >> 16), static_cast<std::uint8_t>(index >> 8),
          static_cast<std::uint8_t>(index)};
}

/// Without its own ARP: the kernel of this namespace has no part in the conversation.
Status set_flags(int fd, const std::string& interface, bool on) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(fd, SIOCGIFFLAGS, &request) != 0) return failed(interface);
  const int flags = request.ifr_flags | IFF_NOARP;
  request.ifr_flags = static_cast<short>(on ? flags | IFF_UP : flags & ~IFF_UP);
  if (::ioctl(fd, SIOCSIFFLAGS, &request) != 0) return failed(interface + " can't be switched");
  return {};
}

}  // namespace

Result<Cable> Cable::open(const std::string& interface) {
  Cable cable;
  if (const auto done = cable.prepare(interface); !done) return tl::unexpected{done.error()};
  return cable;
}

Status Cable::prepare(const std::string& interface) {
  const unsigned index = interface.size() < IFNAMSIZ ? ::if_nametoindex(interface.c_str()) : 0;
  if (index == 0) return fail("there is no interface " + interface + " in this network namespace");
  // Protocol 0: nothing is taken before the ring is there.
  socket_ = io::Fd{::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket_) return failed("a packet socket");
  if (const auto done = set_flags(socket_.get(), interface, true); !done) return done;
  if (!set(socket_.get(), SOL_PACKET, PACKET_VERSION, int{TPACKET_V2}) ||
      !set(socket_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) || !set(socket_.get(), SOL_PACKET, PACKET_QDISC_BYPASS, 1))
    return failed("options of a packet socket");
  const tpacket_req ring{kBlock, static_cast<unsigned>(kRing / kBlock), kSlot, kRingFrames};
  if (!set(socket_.get(), SOL_PACKET, PACKET_RX_RING, ring)) return failed("a ring of frames");
  void* memory = ::mmap(nullptr, kRing, PROT_READ | PROT_WRITE, MAP_SHARED, socket_.get(), 0);
  if (memory == MAP_FAILED) return failed("the memory of a ring of frames");
  ring_ = static_cast<std::uint8_t*>(memory);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed(interface);
  mac_ = mac_of(index);
  interface_ = interface;
  return {};
}

Status Cable::switch_on(bool on) { return set_flags(socket_.get(), interface_, on); }

void Cable::hear_complaint() {
  int error = 0;
  socklen_t size = sizeof error;
  static_cast<void>(::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size));
}

Cable::~Cable() {
  if (ring_ != nullptr) ::munmap(ring_, kRing);
}

Cable::Cable(Cable&& other) noexcept
    : socket_{std::move(other.socket_)},
      interface_{std::move(other.interface_)},
      mac_{other.mac_},
      ring_{std::exchange(other.ring_, nullptr)},
      next_{other.next_},
      waiting_{std::move(other.waiting_)},
      spare_{std::move(other.spare_)},
      counts_{other.counts_} {}

std::optional<Cable::Received> Cable::front() const {
  const auto& head = *reinterpret_cast<const tpacket2_hdr*>(ring_ + std::size_t{next_} * kSlot);
  if ((__atomic_load_n(&head.tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) return std::nullopt;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&head) + head.tp_mac;
  return Received{{bytes, head.tp_snaplen},
                  std::chrono::seconds{head.tp_sec} + Duration{head.tp_nsec},
                  head.tp_len > head.tp_snaplen};
}

void Cable::pop() {
  auto& head = *reinterpret_cast<tpacket2_hdr*>(ring_ + std::size_t{next_} * kSlot);
  __atomic_store_n(&head.tp_status, static_cast<std::uint32_t>(TP_STATUS_KERNEL), __ATOMIC_RELEASE);
  next_ = (next_ + 1) % kRingFrames;
}

Buffer Cable::spare() {
  if (spare_.empty()) return {};
  Buffer out = std::move(spare_.back());
  spare_.pop_back();
  return out;
}

void Cable::send(Buffer frame, Duration due) {
  waiting_.emplace_back(std::move(frame), due);
  if (waiting_.size() >= kBatch) flush();
}

void Cable::flush() {
  if (waiting_.empty()) return;
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> messages{};
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    parts[i] = {waiting_[i].first.data(), waiting_[i].first.size()};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const Duration now = monotonic();
  for (std::size_t done = 0; done < waiting_.size();) {
    const int n = ::sendmmsg(socket_.get(), &messages[done], static_cast<unsigned>(waiting_.size() - done), 0);
    if (n > 0) {
      counts_.sent += static_cast<std::uint64_t>(n);
      done += static_cast<std::size_t>(n);
    } else {  // the first of the rest: its interface is down, or has no room
      ++counts_.not_sent;
      ++done;
    }
  }
  for (auto& [frame, due] : waiting_) {
    const Duration late = std::max(now - due, Duration{});
    counts_.lateness += late;
    counts_.latest = std::max(counts_.latest, late);
    if (late > kLate) ++counts_.late;
    spare_.push_back(std::move(frame));
  }
  waiting_.clear();
}

Cable::Counts Cable::counts() {
  tpacket_stats now{};
  socklen_t size = sizeof now;
  // Reading sets the kernel's own to zero.
  if (::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &now, &size) == 0) counts_.ring_dropped += now.tp_drops;
  return counts_;
}

}  // namespace pw::lab
