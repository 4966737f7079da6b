// RecentPackets: what a connection sent last, so that it can go once more by another path when the one it went by turns out
// to be dead. The receiver tells copies by their packet numbers: to QUIC they are packets that came late, and what was
// lost is there a time-out earlier.
#pragma once

#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace pw::quic {

class RecentPackets {
 public:
  /// RFC 9002 section 7.7: senders SHOULD limit bursts to the initial congestion window, ten packets. Who sends more than
  /// that in the time that a path takes to be doubted leaves the rest to QUIC.
  static constexpr std::size_t kMaxBytes = 12'000;
  /// The longest wait for an answer to a probe (probe::Liveness): a path is in doubt by then.
  static constexpr Duration kMaxAge = 3s;

  struct Sent {
    Instant at;
    std::size_t segment;  // 0: one packet
    Buffer bytes;
  };

  void add(Instant now, std::size_t segment, ByteView bytes) {
    if (bytes.size() > kMaxBytes) bytes = {};  // none of it: half a burst helps nobody
    bytes_ += bytes.size();
    std::size_t old = 0;
    while (old < sent_.size() && (bytes_ > kMaxBytes || sent_[old].at + kMaxAge < now)) bytes_ -= sent_[old++].bytes.size();
    sent_.erase(sent_.begin(), sent_.begin() + static_cast<std::ptrdiff_t>(old));
    if (!bytes.empty()) sent_.push_back({now, segment, Buffer(bytes.begin(), bytes.end())});
  }
  /// Sent at that time or later, in order.
  template <class Take>
  void since(Instant from, Take take) const {
    for (const Sent& sent : sent_)
      if (sent.at >= from) take(sent);
  }

 private:
  std::vector<Sent> sent_;  // by time
  std::size_t bytes_ = 0;
};

}  // namespace pw::quic
