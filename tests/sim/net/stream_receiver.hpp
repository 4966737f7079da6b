// StreamReceiver: one direction of a Stream as its receiver keeps it: bytes in their order, and behind a hole what waits
// for it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "base/bytes.hpp"

namespace pw::net {

class StreamReceiver {
 public:
  explicit StreamReceiver(std::size_t buffer) : buffer_{buffer} {}

  /// Bytes that came with this number; what was there already or has no room is left out. True: more can be read.
  bool accept(std::uint64_t seq, ByteView bytes);
  void end_at(std::uint64_t seq) { fin_ = seq; }
  Buffer read(std::size_t most);

  /// The next that is awaited; past the end, when all is there.
  std::uint64_t next() const { return next_ + (complete() ? 1 : 0); }
  std::size_t window() const { return buffer_ - ready_.size(); }
  std::size_t readable() const { return ready_.size(); }
  std::size_t waiting() const;  // behind a hole
  bool complete() const { return fin_ && next_ == *fin_; }
  bool drained() const { return complete() && ready_.empty(); }

 private:
  void store(std::uint64_t seq, ByteView bytes);

  std::size_t buffer_;
  std::uint64_t next_ = 1;  // 0 was SYN
  std::deque<std::uint8_t> ready_;
  std::map<std::uint64_t, Buffer> parts_;  // without overlap, all above next_
  std::optional<std::uint64_t> fin_;
};

}  // namespace pw::net
