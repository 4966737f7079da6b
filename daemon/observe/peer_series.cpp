#include "observe/peer_series.hpp"

#include <algorithm>
#include <bit>

namespace pw::observe {

void RttHistogram::observe(Duration rtt) {
  const auto bound = std::lower_bound(kRttBounds.begin(), kRttBounds.end(), to_milliseconds(rtt));
  ++counts[static_cast<std::size_t>(bound - kRttBounds.begin())];
  sum += rtt;
}

std::size_t count_series(const PeerCounters&, PathSet paths) {
  constexpr std::size_t kHistogram = kRttBounds.size() + 3;  // +Inf, sum, count
  constexpr std::size_t kQuic = 3;
  constexpr std::size_t kProbes = 5;
  const auto carrying = static_cast<unsigned>(paths & ~path_bit(event::PathKind::none));
  return kHistogram + kQuic + kProbes + 2U * static_cast<std::size_t>(std::popcount(carrying));
}

std::size_t count_series(const PeerSeries& peer, PathSet paths) {
  constexpr std::size_t kInfo = 1;
  std::size_t n = kInfo + count_series(peer.counters, paths);
  const PeerGauges& g = peer.gauges;
  if (!g.known) return n;
  constexpr std::size_t kConnected = 1;
  n += kConnected + enum_count<event::BreakerState>() + static_cast<std::size_t>(std::popcount(static_cast<unsigned>(paths)));
  for (const std::int64_t value :
       {g.last_seen_ms, g.jitter_ns, g.bandwidth[0], g.bandwidth[1], g.estimate[0], g.estimate[1], g.cwnd, g.in_flight})
    if (value != kAbsent) ++n;
  for (const double value : g.loss)
    if (value >= 0) ++n;
  for (const UsablePath& path : g.usable)
    if (path) n += *path == event::PathSize::unknown ? 1 : 2;
  return n;
}

}  // namespace pw::observe
