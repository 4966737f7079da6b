// MetricsSnapshot: everything a scrape is answered from. Immutable once made.
#pragma once

#include <vector>

#include "observe/metrics.hpp"
#include "observe/peer_series.hpp"

namespace prometheus {
struct MetricFamily;
}

namespace pw::observe {

struct MetricsSnapshot {
  MetricsSnapshot();
  ~MetricsSnapshot();

  std::vector<prometheus::MetricFamily> node;
  bool per_peer = true;  // false: privacy.peer_id = "none"
  std::vector<PeerSeries> peers;
  bool has_other = false;
  PeerCounters other;
  PathSet paths = kDirectPaths;
  std::size_t series = 0;  // of node, peers and other
};

class Exposer;
/// The families with the label peer_id.
void write_peers(Exposer& out, const MetricsSnapshot& snapshot);
/// Families that are neither about peers nor in the registry: process_* and peerwatch_series.
void write_process(Exposer& out, const MetricsSnapshot& snapshot);
inline constexpr std::size_t kProcessSeries = 8;  // at most

}  // namespace pw::observe
