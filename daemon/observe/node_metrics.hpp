// NodeMetrics: every family without the label peer_id, kept in prometheus-cpp's registry. Network thread; the families
// of HttpMetrics share the registry, which is safe between threads.
#pragma once

#include <memory>
#include <vector>

#include "event/event.hpp"
#include "event/snapshot.hpp"
#include "observe/metrics.hpp"

namespace prometheus {
class Registry;
struct MetricFamily;
}  // namespace prometheus

namespace pw::observe {

class NodeMetrics {
 public:
  explicit NodeMetrics(const MetricsOptions& options);
  ~NodeMetrics();

  void count(const event::Record& record);
  void loop_lag(Duration lag);
  void timer_error(Duration late);
  void socket_drops(std::uint64_t total);
  void series_evicted(std::uint64_t total);
  /// Gauges that the snapshot knows completely.
  void set(const event::NodeSnapshot& node, WallTime wall);
  /// Replaces peerwatch_node_info. `label`: our own id as labels show it; empty to leave it out.
  void node_info(const std::string& label, const std::string& name, const std::string& mesh);
  /// Absent where nothing is served over TLS.
  void certificate_expiry(std::optional<WallTime> at);

  std::vector<prometheus::MetricFamily> collect() const;
  prometheus::Registry& registry();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The families of the HTTP server, in this registry, which outlives them.
std::unique_ptr<HttpMetrics> make_http_metrics(prometheus::Registry& registry);

}  // namespace pw::observe
