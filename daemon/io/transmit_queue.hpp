// TransmitQueue: what waits to leave through one UDP socket. Sends in batches (sendmmsg), with the kernel cutting large
// ones into segments (UDP_SEGMENT) as long as it can. Bounded: what does not fit is dropped and counted; QUIC repairs
// it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/transmit.hpp"

struct mmsghdr;

namespace pw::io {

/// A socket buffer is far larger: whoever is this far behind sends stale packets.
inline constexpr std::size_t kMaxQueuedDatagrams = 4096;
inline constexpr std::size_t kMaxQueuedBytes = 8 << 20;
/// Transmits a sendmmsg.
inline constexpr std::size_t kSendBatch = 64;

/// Memory that one sendmmsg reads; shared by the queues of a thread.
struct SendBatch;
std::shared_ptr<SendBatch> make_send_batch();

class TransmitQueue {
 public:
  /// As sendmmsg(2). Replaced in tests only.
  using Send = std::function<int(int fd, mmsghdr* messages, unsigned count, int flags)>;

  TransmitQueue(int fd, std::shared_ptr<SendBatch> batch);
  TransmitQueue(int fd, std::shared_ptr<SendBatch> batch, Send send);
  TransmitQueue(TransmitQueue&&) noexcept;
  TransmitQueue& operator=(TransmitQueue&&) noexcept;
  ~TransmitQueue();

  void push(Transmit transmit);

  enum class State : std::uint8_t {
    empty,
    blocked,   // the socket buffer is full: flush again when the socket is writable
    congested  // the machine is out of buffers, which no event announces: flush again after a moment
  };
  State flush();

  struct Counts {
    std::uint64_t sent = 0;      // datagrams
    std::uint64_t overflow = 0;  // dropped because the queue was full
    std::uint64_t failed = 0;    // refused by the kernel for good
  };
  const Counts& counts() const { return counts_; }
  /// Of a transmit that the kernel refused for good. The list is cleared by the call and holds one entry an errno.
  struct Failure {
    int error;
    std::uint64_t count;
    SocketAddress to;  // the first of them
  };
  std::vector<Failure> take_failures();
  std::size_t size() const { return queued_datagrams_; }
  bool segmentation() const { return segmentation_; }

 private:
  std::size_t fill();
  void pop(std::size_t count, bool sent);
  void refuse(int error);
  State send_front_apart();

  int fd_;
  Send send_;
  bool segmentation_ = true;
  std::deque<Transmit> queue_;
  std::size_t queued_datagrams_ = 0;
  std::size_t queued_bytes_ = 0;
  Counts counts_;
  std::vector<Failure> failures_;
  std::shared_ptr<SendBatch> batch_;
};

}  // namespace pw::io
