// TcpSegment: what travels between Streams, of the size of TCP's but simpler: ports are the packet's, sequence numbers
// begin at 0, and a tag that the connecting side draws stands for TCP's initial sequence numbers: a segment of an
// earlier connection, or of one that died with its machine, is told apart.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace pw::net {

struct TcpSegment {
  static constexpr std::size_t kHeader = 20;  // as TCP's without options
  static constexpr std::uint32_t kMaxWindow = (1U << 24) - 1;

  std::uint32_t tag = 0;
  std::uint32_t seq = 0;  // of the first byte; SYN and FIN count as one
  std::uint32_t ack = 0;  // the next that is awaited; with `has_ack`
  std::uint32_t window = 0;
  bool syn = false;
  bool has_ack = false;
  bool fin = false;
  bool rst = false;
  Buffer data;

  Buffer encode() const;
  /// None if it is no segment, or was damaged: its checksum finds every flipped bit.
  static std::optional<TcpSegment> decode(ByteView bytes);
};

/// What a kernel says to a segment for which there is no socket or no connection: a reset, but none to a reset.
std::optional<Buffer> refusal(ByteView segment);

}  // namespace pw::net
