// FailoverMetrics: for how long sessions were without a way, when the path in use failed and another one took over.
#pragma once

#include <prometheus/registry.h>

#include <string>

#include "event/event.hpp"
#include "observe/registry_families.hpp"

namespace pw::observe {

class FailoverMetrics {
 public:
  explicit FailoverMetrics(prometheus::Registry& registry)
      : family_{histograms(registry, "p2p_path_failover_seconds",
                           "From the last proof of a path that failed to the first of the one that took over.")} {
    using P = event::PathKind;
    for (const P direct : {P::direct_v4, P::direct_v6}) of(direct, P::relay_quic);
    of(P::direct_v4, P::direct_v6);
    of(P::direct_v6, P::direct_v4);
  }
  void count(const event::PathFailedOver& e) { of(e.from, e.to).Observe(to_seconds(e.took)); }

 private:
  inline static const Bounds kSeconds = {.05, .1, .2, .4, .6, 1, 1.5, 3, 6.5, 15, 30};

  prometheus::Histogram& of(event::PathKind from, event::PathKind to) {
    return family_.Add({{"from_path", std::string{name(from)}}, {"to_path", std::string{name(to)}}}, kSeconds);
  }
  prometheus::Family<prometheus::Histogram>& family_;
};

}  // namespace pw::observe
