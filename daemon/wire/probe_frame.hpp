// Probes between two peers. A probe over a path goes in a connectivity check, its receipt in the answer (wire/stun.hpp):
//   probe    1, sequence u32, sent u32 (µs of the sender's clock, wraps), path u32 (a number of the sender's own)
//   receipt  2, sequence u32 (of the probe that it answers), highest u32, window u64, held u32 (µs)
// Bit i of `window` says that probe `highest − i` arrived. One receipt answers one probe, at once; so whoever probes
// knows the loss of each direction: what the windows miss was lost on the way there, receipts of arrived probes that
// never came were lost on the way back.
//
// The echo stream carries frames of the same kind, reliably, in both directions:
//   request  1, sequence u32, padding length u16, padding
//   reply    2, sequence u32, padding length u16, padding
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace pw::wire {

/// From one sequence number on to another: negative if that is behind. They wrap.
constexpr std::int32_t distance(std::uint32_t from, std::uint32_t to) { return static_cast<std::int32_t>(to - from); }

constexpr std::uint32_t to_microseconds(Duration d) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

struct ProbeFrame {
  std::uint32_t sequence = 0;
  std::uint32_t sent_us = 0;
  /// Sequences are counted a path. The ends may not agree on what is one path: behind a NAT's new mapping one sees the
  /// old path, the other a new one. So the sender says it.
  std::uint32_t path = 0;
  bool operator==(const ProbeFrame&) const = default;
};

struct ReceiptFrame {
  std::uint32_t sequence = 0;
  std::uint32_t highest = 0;
  std::uint64_t window = 0;
  std::uint32_t held_us = 0;
  bool operator==(const ReceiptFrame&) const = default;
};

Buffer encode(const ProbeFrame& frame);
Buffer encode(const ReceiptFrame& frame);
/// Nothing for an unknown type or a wrong length.
std::optional<std::variant<ProbeFrame, ReceiptFrame>> decode_probe(ByteView datagram);

struct EchoFrame {
  bool reply = false;
  std::uint32_t sequence = 0;
  std::uint16_t padding = 0;
  bool operator==(const EchoFrame&) const = default;
};

/// Padding of a ping on demand: one request stays below two full packets.
inline constexpr std::uint16_t kMaxEchoPadding = 2000;

Buffer encode(const EchoFrame& frame);

/// Cuts a byte stream into echo frames. Holds at most one frame.
class EchoReader {
 public:
  void feed(ByteView bytes) { pending_.insert(pending_.end(), bytes.begin(), bytes.end()); }
  /// The next whole frame, or nothing yet. After a malformed frame broken() is true for good.
  std::optional<EchoFrame> next();
  bool broken() const { return broken_; }
  std::size_t pending() const { return pending_.size(); }

 private:
  Buffer pending_;
  bool broken_ = false;
};

}  // namespace pw::wire
