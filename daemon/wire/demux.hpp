// Telling the protocols on one UDP port apart by the first byte (RFC 9443 section 2). No TURN channels and no RTP are
// spoken here, so their ranges are QUIC's.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace pw::wire {

enum class DatagramKind : std::uint8_t { empty, oversized, stun, quic, unknown };

/// No protocol of ours sends more in one datagram, and no receive buffer is larger.
inline constexpr std::size_t kMaxDatagram = 2048;

constexpr DatagramKind classify(ByteView datagram) {
  if (datagram.empty()) return DatagramKind::empty;
  if (datagram.size() > kMaxDatagram) return DatagramKind::oversized;
  const std::uint8_t first = datagram[0];
  if (first <= 3) return DatagramKind::stun;
  if (first >= 64) return DatagramKind::quic;
  return DatagramKind::unknown;
}

/// Of a QUIC packet (RFC 9000 section 17.2): its connection's handshake is not done.
constexpr bool has_long_header(ByteView packet) { return !packet.empty() && (packet[0] & 0x80) != 0; }

}  // namespace pw::wire
