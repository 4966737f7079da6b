// What the connections of one endpoint share: its options, the tables that lead datagrams to them, and the queues that
// they append to. No connection knows another.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <utility>

#include "base/rng.hpp"
#include "quic/connection_id.hpp"
#include "base/digest.hpp"
#include "quic/endpoint.hpp"
#include "quic/tls.hpp"

namespace pw::quic {

/// Segments in one Transmit: enough to spread the cost of a system call, and far below the 64 KiB of one UDP datagram
/// that segmentation offload starts from.
inline constexpr std::size_t kMaxSegments = 16;

struct Shared {
  Shared(Options o, const Identity& i, Rng r)
      : options{std::move(o)},
        identity{i.tls()},
        rng{std::move(r)},
        reset_key{hmac_sha256(options.static_secret, as_bytes("peerwatch stateless reset"))},
        hash{rng.next()},
        ids{0, hash},
        reset_tokens{0, hash} {}

  /// RFC 9000 section 10.3.2: computed from the connection ID and a static key, so that it survives a restart.
  ResetToken reset_token(const ConnectionId& id) const { return ResetToken{hmac_sha256(reset_key, id.view()).data()}; }
  ConnectionId new_id(std::uint8_t size = kConnectionIdSize) {
    ConnectionId id;
    id.size = size;
    do rng.fill(std::span{id.bytes}.first(id.size));
    while (ids.contains(id));
    return id;
  }

  const Options options;
  const Identity::Tls& identity;
  Rng rng;
  const Digest reset_key;
  const KeyedHash hash;

  std::unordered_map<ConnectionId, Handle, KeyedHash> ids;         // ours, and the first ones of those who dialled us
  std::unordered_map<ResetToken, Handle, KeyedHash> reset_tokens;  // of the peers, in use
  std::deque<Event> events;
  std::deque<Transmit> transmits;
  std::uint64_t dropped_datagrams = 0;
  std::array<std::uint8_t, kMaxSegments * kServiceUdpPayload> scratch;  // packets being written

  // The datagram being read.
  PathAddress from;
  Instant received_at{};
};

/// ngtcp2 counts nanoseconds without a sign.
inline ngtcp2_tstamp timestamp(Instant at) {
  return static_cast<ngtcp2_tstamp>(at.time_since_epoch().count() < 0 ? 0 : at.time_since_epoch().count());
}
inline Instant instant(ngtcp2_tstamp at) {
  return at > static_cast<ngtcp2_tstamp>(kNever.time_since_epoch().count())
             ? kNever
             : Instant{Duration{static_cast<std::int64_t>(at)}};
}

}  // namespace pw::quic
