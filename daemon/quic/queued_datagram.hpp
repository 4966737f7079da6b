// A DATAGRAM that waits for its packet (RFC 9221). Congestion control may hold it; how long is told when it leaves, and
// kept out of what it measures: a correction while in transit, as IEEE 1588 has it, made by the sender itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace pw::quic {

struct QueuedDatagram {
  Buffer bytes;
  bool timed;  // its last four bytes count microseconds, and go on counting while it waits
  std::optional<Instant> waits_since{};
  std::uint32_t counted_us = 0;

  static constexpr std::size_t kCount = 4;

  Duration held(Instant now) const { return waits_since ? now - *waits_since : Duration{}; }
  /// Brings its count up to `now`.
  void count(Instant now) {
    if (!timed || !waits_since) return;
    const auto waited =
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(held(now)).count());
    const ByteView rest = ByteView{bytes}.last(kCount);
    const std::uint32_t before = ByteReader{rest}.u32();
    bytes.resize(bytes.size() - kCount);
    ByteWriter{bytes}.u32(before + (waited - counted_us));
    counted_us = waited;
  }
};

}  // namespace pw::quic
