#include "io/transmit_queue.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "io/sockaddr.hpp"

namespace pw::io {
namespace {

// The kernel's UDP_MAX_SEGMENTS was 64 for long, and a UDP payload is at most 65507 bytes.
constexpr std::size_t kMaxSegments = 64;
constexpr std::size_t kMaxPayload = 65507;
constexpr std::size_t kControlBuffer =
    CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t)) + CMSG_SPACE(sizeof(int));

std::size_t datagrams_in(const Transmit& t) {
  if (t.segment_size == 0 || t.bytes.empty()) return 1;
  return (t.bytes.size() + t.segment_size - 1) / t.segment_size;
}

/// Larger than the kernel takes at once: halves at a segment's border.
bool too_large(const Transmit& t) {
  return t.segment_size != 0 && (datagrams_in(t) > kMaxSegments || t.bytes.size() > kMaxPayload);
}

template <class T>
void append_control(msghdr& message, std::size_t& used, int level, int type, const T& value) {
  auto* c = reinterpret_cast<cmsghdr*>(static_cast<std::uint8_t*>(message.msg_control) + used);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(c), &value, sizeof value);
  used += CMSG_SPACE(sizeof value);
}

void append_source(msghdr& message, std::size_t& used, const IpAddress& local) {
  if (local.family() == Family::v4) {
    in_pktinfo info{};
    info.ipi_spec_dst = to_in_addr(local);
    append_control(message, used, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    info.ipi6_addr = to_in6_addr(local);
    append_control(message, used, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

void append_hop_limit(msghdr& message, std::size_t& used, Family family, int ttl) {
  if (family == Family::v4)
    append_control(message, used, IPPROTO_IP, IP_TTL, ttl);
  else
    append_control(message, used, IPPROTO_IPV6, IPV6_HOPLIMIT, ttl);
}

}  // namespace

struct SendBatch {
  std::array<mmsghdr, kSendBatch> messages{};
  std::array<iovec, kSendBatch> vectors{};
  std::array<sockaddr_storage, kSendBatch> to{};
  struct Control {
    alignas(cmsghdr) std::array<std::uint8_t, kControlBuffer> bytes;
  };
  std::array<Control, kSendBatch> control{};

  void fill(std::size_t i, const Transmit& t, ByteView bytes, std::size_t segment_size) {
    // sendmsg does not write through the vector; its type is shared with recvmsg.
    vectors[i] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    msghdr& m = messages[i].msg_hdr;
    m = {};
    m.msg_name = &to[i];
    m.msg_namelen = to_sockaddr(t.path.remote, to[i]);
    m.msg_iov = &vectors[i];
    m.msg_iovlen = 1;
    control[i].bytes.fill(0);
    m.msg_control = control[i].bytes.data();
    std::size_t used = 0;
    if (!t.path.local.is_unspecified()) append_source(m, used, t.path.local);
    if (segment_size != 0 && bytes.size() > segment_size)
      append_control(m, used, IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(segment_size));
    if (t.ttl != 0) append_hop_limit(m, used, t.path.remote.ip.family(), t.ttl);
    m.msg_controllen = used;
    if (used == 0) m.msg_control = nullptr;
  }
};

std::shared_ptr<SendBatch> make_send_batch() { return std::make_shared<SendBatch>(); }

TransmitQueue::TransmitQueue(int fd, std::shared_ptr<SendBatch> batch)
    : TransmitQueue{fd, std::move(batch),
                    [](int f, mmsghdr* m, unsigned n, int flags) { return sendmmsg(f, m, n, flags); }} {}
TransmitQueue::TransmitQueue(int fd, std::shared_ptr<SendBatch> batch, Send send)
    : fd_{fd}, send_{std::move(send)}, batch_{std::move(batch)} {}
TransmitQueue::TransmitQueue(TransmitQueue&&) noexcept = default;
TransmitQueue& TransmitQueue::operator=(TransmitQueue&&) noexcept = default;
TransmitQueue::~TransmitQueue() = default;

void TransmitQueue::push(Transmit transmit) {
  if (too_large(transmit)) {
    const auto cut = static_cast<std::ptrdiff_t>(transmit.segment_size * ((datagrams_in(transmit) + 1) / 2));
    Transmit rest{transmit.path, Buffer(transmit.bytes.begin() + cut, transmit.bytes.end()), transmit.segment_size,
                  transmit.ttl};
    transmit.bytes.resize(static_cast<std::size_t>(cut));
    push(std::move(transmit));
    push(std::move(rest));
    return;
  }
  const std::size_t datagrams = datagrams_in(transmit);
  if (queued_datagrams_ + datagrams > kMaxQueuedDatagrams || queued_bytes_ + transmit.bytes.size() > kMaxQueuedBytes) {
    counts_.overflow += datagrams;
    return;
  }
  queued_datagrams_ += datagrams;
  queued_bytes_ += transmit.bytes.size();
  queue_.push_back(std::move(transmit));
}

std::size_t TransmitQueue::fill() {
  std::size_t n = 0;
  for (; n < kSendBatch && n < queue_.size(); ++n) {
    const Transmit& t = queue_[n];
    if (!segmentation_ && datagrams_in(t) > 1) break;
    batch_->fill(n, t, t.bytes, t.segment_size);
  }
  return n;
}

void TransmitQueue::pop(std::size_t count, bool sent) {
  for (; count > 0; --count) {
    const std::size_t datagrams = datagrams_in(queue_.front());
    queued_datagrams_ -= datagrams;
    queued_bytes_ -= queue_.front().bytes.size();
    if (sent) counts_.sent += datagrams;
    queue_.pop_front();
  }
}

void TransmitQueue::refuse(int error) {
  const std::size_t datagrams = datagrams_in(queue_.front());
  counts_.failed += datagrams;
  const auto known = std::ranges::find(failures_, error, &Failure::error);
  if (known != failures_.end())
    known->count += datagrams;
  else
    failures_.push_back({error, datagrams, queue_.front().path.remote});
  pop(1, false);
}

TransmitQueue::State TransmitQueue::flush() {
  while (!queue_.empty()) {
    const std::size_t n = fill();
    if (n == 0) {
      if (const State state = send_front_apart(); state != State::empty) return state;
      continue;
    }
    const int sent = send_(fd_, batch_->messages.data(), static_cast<unsigned>(n), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      pop(static_cast<std::size_t>(sent), true);
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EAGAIN || error == EWOULDBLOCK) return State::blocked;
    if (error == ENOBUFS || error == ENOMEM) return State::congested;
    if (datagrams_in(queue_.front()) > 1) {
      // A kernel or an interface that can't segment says EIO or EINVAL; so does a vanished source address. Apart, they
      // differ.
      if (const State state = send_front_apart(); state != State::empty) return state;
      continue;
    }
    refuse(error);
  }
  return State::empty;
}

/// Sends the segments of the front one by one. When that works, segmentation is what the kernel refused.
TransmitQueue::State TransmitQueue::send_front_apart() {
  Transmit& t = queue_.front();
  while (!t.bytes.empty()) {
    const std::size_t size = std::min(t.segment_size, t.bytes.size());
    batch_->fill(0, t, ByteView{t.bytes}.first(size), 0);
    const int sent = send_(fd_, batch_->messages.data(), 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 1) {
      const int error = errno;
      if (error == EINTR) continue;
      if (error == EAGAIN || error == EWOULDBLOCK) return State::blocked;
      if (error == ENOBUFS || error == ENOMEM) return State::congested;
      refuse(error);
      return State::empty;
    }
    segmentation_ = false;
    ++counts_.sent;
    --queued_datagrams_;
    queued_bytes_ -= size;
    t.bytes.erase(t.bytes.begin(), t.bytes.begin() + static_cast<std::ptrdiff_t>(size));
  }
  ++queued_datagrams_;  // an empty transmit counts as one, and pop() takes it off
  pop(1, false);
  return State::empty;
}

std::vector<TransmitQueue::Failure> TransmitQueue::take_failures() { return std::exchange(failures_, {}); }

}  // namespace pw::io
