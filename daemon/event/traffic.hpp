// Traffic with a peer, as the core counts it.
#pragma once

#include <array>
#include <cstdint>

namespace pw::event {

/// Exact counts of UDP payload and packets since the peer became known; they outlive its sessions.
struct Traffic {
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
};

/// Index: PathKind (never none), then Direction.
using TrafficByPath = std::array<std::array<Traffic, 2>, 4>;

struct PeerTotals {
  TrafficByPath traffic{};
  std::array<std::uint64_t, 2> quic_packets{};  // by Direction; the others are connectivity checks
  std::uint64_t quic_datagrams_lost = 0;
};

}  // namespace pw::event
