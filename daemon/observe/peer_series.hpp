// The numbers of one labelled peer, as a snapshot keeps them: contiguous, a few hundred bytes, copied in one go.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "event/vocabulary.hpp"

namespace pw::observe {

/// Of RTTs, in milliseconds. The contract's, and the same for every RTT in milliseconds.
inline constexpr std::array kRttBounds = {.1, .25, .5, 1., 2.5, 5., 10., 25., 50., 100., 200., 500., 1000., 2500.};

struct RttHistogram {
  std::array<std::uint64_t, kRttBounds.size() + 1> counts{};  // not cumulative; the last is +Inf
  Duration sum{};                                             // exact

  void observe(Duration rtt);
};

inline constexpr std::size_t kPaths = 4;  // PathKind without none
template <class T>
using ByDirection = std::array<T, 2>;

/// Only ever grows. Both the increments of one peer and those of "other".
struct PeerCounters {
  std::array<ByDirection<std::uint64_t>, kPaths> bytes{};
  ByDirection<std::uint64_t> packets{};  // of QUIC, by Direction
  std::uint64_t datagrams_lost = 0;
  ByDirection<std::uint64_t> probes_expected{};  // by ProbeDirection
  ByDirection<std::uint64_t> probes_lost{};
  std::uint64_t probes_suspect = 0;
  RttHistogram rtt;
};

inline constexpr std::int64_t kAbsent = -1;  // not measured: no sample

/// The best proved path of a kind, if there is one.
using UsablePath = std::optional<event::PathSize>;

struct PeerGauges {
  bool known = false;  // false: the peer is gone, there are no gauges
  event::PathKind path = event::PathKind::none;
  std::array<UsablePath, kPaths> usable{};
  event::BreakerState breaker = event::BreakerState::closed;
  std::int64_t last_seen_ms = kAbsent;  // since 1970
  std::int64_t jitter_ns = kAbsent;
  ByDirection<std::int64_t> bandwidth{kAbsent, kAbsent};  // bytes a second
  ByDirection<std::int64_t> estimate{kAbsent, kAbsent};
  ByDirection<double> loss{-1, -1};  // negative: absent
  std::int64_t cwnd = kAbsent;
  std::int64_t in_flight = kAbsent;
};

/// Label text, escaped and ready to be written.
struct PeerText {
  std::string label;  // peer_id="abcdefghij"
  std::string info;   // peer_id="abcdefghij",name="…",version="…"
};

struct PeerSeries {
  std::shared_ptr<const PeerText> text;  // shared with the snapshots, which live on other threads
  PeerCounters counters;
  PeerGauges gauges;
};

/// Bit by PathKind: label values of `path` that are written. Relays appear once one was seen.
using PathSet = std::uint8_t;
constexpr PathSet path_bit(event::PathKind kind) { return static_cast<PathSet>(1U << static_cast<unsigned>(kind)); }
inline constexpr PathSet kDirectPaths = static_cast<PathSet>(
    path_bit(event::PathKind::direct_v4) | path_bit(event::PathKind::direct_v6) | path_bit(event::PathKind::none));
constexpr bool has(PathSet set, std::size_t path) { return (set >> path & 1U) != 0; }

/// How many series a peer's counters and gauges are written as.
std::size_t count_series(const PeerCounters& counters, PathSet paths);
std::size_t count_series(const PeerSeries& peer, PathSet paths);
/// No peer is ever written as more.
inline constexpr std::size_t kMaxSeriesPerPeer = 61;

}  // namespace pw::observe
