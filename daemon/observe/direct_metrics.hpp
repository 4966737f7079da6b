// DirectMetrics: how long it takes from the first attempt to reach a peer until its session goes directly.
#pragma once

#include <prometheus/registry.h>

#include <unordered_map>

#include "event/event.hpp"
#include "observe/registry_families.hpp"

namespace pw::observe {

class DirectMetrics {
 public:
  explicit DirectMetrics(prometheus::Registry& registry)
      : took_{histograms(registry, "p2p_time_to_direct_seconds",
                         "From the first attempt to reach a peer until its session went by a direct path for the first time.")
                  .Add({}, kSeconds)} {}

  void count(const event::SessionEstablished& e, Instant at) {
    indirect_[e.peer] = at - e.since_first_attempt;
    went_by(e.peer, e.path, at);
  }
  void count(const event::PathChanged& e, Instant at) { went_by(e.peer, e.to, at); }
  void count(const event::SessionEnded& e) { indirect_.erase(e.peer); }

 private:
  inline static const Bounds kSeconds = {.05, .1, .25, .5, 1, 2, 3, 6, 10, 30, 60, 300, 3600};

  void went_by(const PeerId& peer, event::PathKind kind, Instant at) {
    const auto since = indirect_.find(peer);
    if (since == indirect_.end() || (kind != event::PathKind::direct_v4 && kind != event::PathKind::direct_v6)) return;
    took_.Observe(to_seconds(at - since->second));
    indirect_.erase(since);
  }

  prometheus::Histogram& took_;
  std::unordered_map<PeerId, Instant> indirect_;  // sessions that never went directly: when the first attempt was
};

}  // namespace pw::observe
