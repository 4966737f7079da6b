// Cable: the far end of one host's virtual cable: an AF_PACKET socket that takes every frame the host sends and puts
// frames in. Frames wait in a ring that the kernel fills (TPACKET_V2: one at a time, without a block's delay), each with
// the time when it came: what the process was late is known and does not count as time on the way.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "functional/wire/frame.hpp"
#include "io/fd.hpp"

namespace pw::lab {

class Cable {
 public:
  /// Frames that wait before the kernel drops them: 2 MiB, 7 ms at 140 000 a second.
  static constexpr unsigned kRingFrames = 1024;
  /// A slot of the ring: a frame of Ethernet's usual MTU with the ring's own header. What is longer (an interface whose
  /// segmentation was not switched off, a large MTU) is seen cut, and dropped as truncated.
  static constexpr unsigned kSlot = 2048;
  /// Frames that wait to be sent: with more than that a system call pays.
  static constexpr std::size_t kBatch = 32;

  /// Of the network namespace that this process is in. The interface is switched on; its own kernel answers nothing
  /// there, since frames are addressed to another hardware address, mac().
  static Result<Cable> open(const std::string& interface);
  ~Cable();
  Cable(Cable&&) noexcept;

  int fd() const { return socket_.get(); }
  const Mac& mac() const { return mac_; }

  /// Both ends lose their carrier, or have it again.
  Status switch_on(bool on);
  /// A socket whose interface went down has an error to tell: takes it.
  void hear_complaint();

  struct Received {
    ByteView frame;
    Duration at;  // CLOCK_REALTIME, since 1970
    bool cut;     // longer than a slot
  };
  /// The oldest frame that waits; valid until pop().
  std::optional<Received> front() const;
  void pop();

  /// Queues a frame that was due at `due` (CLOCK_MONOTONIC); full batches are sent at once.
  void send(Buffer frame, Duration due);
  void flush();
  /// An empty buffer with room in it, to build the next frame in.
  Buffer spare();

  struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t not_sent = 0;      // the kernel would not have them
    std::uint64_t late = 0;          // more than kLate after they were due
    Duration latest{};               // the most
    Duration lateness{};             // of all together
    std::uint64_t ring_dropped = 0;  // the ring was full
  };
  static constexpr Duration kLate = 1ms;
  Counts counts();

 private:
  Cable() = default;
  Status prepare(const std::string& interface);

  io::Fd socket_;
  std::string interface_;
  Mac mac_{};
  std::uint8_t* ring_ = nullptr;
  unsigned next_ = 0;
  std::vector<std::pair<Buffer, Duration>> waiting_;
  std::vector<Buffer> spare_;
  Counts counts_;
};

}  // namespace pw::lab
