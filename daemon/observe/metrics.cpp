#include "observe/metrics.hpp"

#include <prometheus/metric_family.h>

#include <algorithm>

#include "observe/metrics_snapshot.hpp"
#include "observe/node_metrics.hpp"
#include "observe/peer_table.hpp"

namespace pw::observe {
namespace {

using namespace event;

std::size_t count_series(const prometheus::MetricFamily& family) {
  if (family.type != prometheus::MetricType::Histogram) return family.metric.size();
  std::size_t n = 0;
  for (const auto& metric : family.metric) n += metric.histogram.bucket.size() + 2;  // sum, count
  return n;
}

}  // namespace

MetricsSnapshot::MetricsSnapshot() = default;
MetricsSnapshot::~MetricsSnapshot() = default;

struct Metrics::Impl {
  explicit Impl(MetricsOptions o)
      : options{std::move(o)},
        node{options},
        peers{options.peer_label, options.label_key, options.retention},
        http{make_http_metrics(node.registry())} {
    show_node();
    count_node(node.collect());
  }

  void show_node() {
    const std::string label = PeerLabels{options.peer_label, options.label_key}.usual(options.self);
    node.node_info(label, options.node_name, options.mesh);
    node.certificate_expiry(options.tls_certificate_expiry);
    limit_labels();
  }

  /// max_series counts everything; a labelled peer is reckoned at the most it may have, and "other" likewise.
  void limit_labels() {
    const std::size_t others = node_series + kProcessSeries + kMaxSeriesPerPeer;
    const std::size_t room = options.max_series - std::min<std::size_t>(options.max_series, others);
    peers.limit(std::min<std::size_t>(options.max_labelled_peers, room / kMaxSeriesPerPeer));
  }

  void count_node(const std::vector<prometheus::MetricFamily>& families) {
    node_series = 0;
    for (const auto& family : families) node_series += count_series(family);
    limit_labels();
  }

  // Events that count by peer; node has the rest.
  void on(const auto&, Instant) {}
  void on(const PeerAdded& e, Instant) { peers.add(e.peer); }
  void on(const PeerRemoved& e, Instant at) { peers.remove(e.peer, at, e.totals); }
  void on(const EchoMeasured& e, Instant) {
    if (!e.suspect) peers.counters_of(e.peer).rtt.observe(e.rtt);
  }
  void on(const ProbesAccounted& e, Instant) {
    PeerCounters& c = peers.counters_of(e.peer);
    c.probes_expected[static_cast<std::size_t>(e.direction)] += e.expected;
    c.probes_lost[static_cast<std::size_t>(e.direction)] += e.lost;
    c.probes_suspect += e.suspect;
  }

  MetricsOptions options;
  NodeMetrics node;
  PeerTable peers;
  std::unique_ptr<HttpMetrics> http;
  std::size_t node_series = 0;  // at the last snapshot
};

Metrics::Metrics(MetricsOptions options) : impl_{std::make_unique<Impl>(std::move(options))} {}
Metrics::~Metrics() = default;

void Metrics::handle(const Record& record) {
  impl_->node.count(record);
  std::visit([&](const auto& e) { impl_->on(e, record.at); }, record.event);
}

void Metrics::loop_lag(Duration lag) { impl_->node.loop_lag(lag); }
void Metrics::timer_error(Duration late) { impl_->node.timer_error(late); }
void Metrics::socket_drops(std::uint64_t total) { impl_->node.socket_drops(total); }
HttpMetrics& Metrics::http() { return *impl_->http; }

void Metrics::configure(const MetricsOptions& options) {
  MetricsOptions& mine = impl_->options;
  const bool relabel = options.peer_label != mine.peer_label || options.label_key != mine.label_key;
  const PeerId self = mine.self;
  std::string version = std::move(mine.version);
  mine = options;
  mine.self = self;
  mine.version = std::move(version);
  if (relabel) impl_->peers.relabel(mine.peer_label, mine.label_key);
  impl_->peers.retain(mine.retention);
  impl_->show_node();
}

std::shared_ptr<const MetricsSnapshot> Metrics::snapshot(const NodeSnapshot& node, WallTime wall) {
  Impl& m = *impl_;
  auto out = std::make_shared<MetricsSnapshot>();
  std::vector<PeerSeries> peers = m.peers.fold(node, wall);
  out->per_peer = m.options.peer_label != PeerLabel::none;
  if (out->per_peer) {
    out->peers = std::move(peers);
    out->has_other = m.peers.has_other();
    out->other = m.peers.other();
  }
  out->paths = m.peers.paths();

  m.node.set(node, wall);
  m.node.series_evicted(m.peers.evicted_series());
  out->node = m.node.collect();
  m.count_node(out->node);

  out->series = m.node_series;
  for (const PeerSeries& peer : out->peers) out->series += count_series(peer, out->paths);
  if (out->has_other) out->series += count_series(out->other, out->paths);
  return out;
}

}  // namespace pw::observe
