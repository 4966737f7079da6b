// ServiceMetrics: the families about bootstraps and relays, this node's own and itself as one. Counts are the core's, and
// come with the snapshot; only times are folded from events. What was not measured has no sample. Servers are called as
// they are configured, else by their id.
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "event/event.hpp"
#include "event/snapshot.hpp"

namespace prometheus {
struct MetricFamily;
}  // namespace prometheus

namespace pw::observe {

class ServiceMetrics {
 public:
  static constexpr std::array kBounds{1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2500.0, 5000.0};

  void count(const event::ServiceRequested& e);
  /// Forgets the times of servers that are no longer configured.
  void set(const event::NodeSnapshot& node);
  void append(std::vector<prometheus::MetricFamily>& out) const;

 private:
  struct Times {
    std::array<std::uint64_t, kBounds.size() + 1> buckets{};  // not cumulative; the last: beyond all bounds
    double sum = 0;
  };
  using ByRequest = std::array<Times, enum_count<event::ServiceRequest>()>;

  void append_clients(std::vector<prometheus::MetricFamily>& out) const;
  void append_server(std::vector<prometheus::MetricFamily>& out) const;

  std::unordered_map<PeerId, ByRequest> times_;
  std::vector<event::ServerSnapshot> servers_;
  std::optional<event::ServingSnapshot> serving_;
};

}  // namespace pw::observe
