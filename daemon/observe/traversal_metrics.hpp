// TraversalMetrics: the families of NAT traversal. An attempt is one that was needed: a pair whose addresses connect by
// themselves is in none of them.
#pragma once

#include <prometheus/registry.h>

#include "event/event.hpp"
#include "observe/registry_families.hpp"

namespace pw::observe {

class TraversalMetrics {
 public:
  explicit TraversalMetrics(prometheus::Registry& registry);
  void count(const event::TraversalStarted& e);
  void count(const event::TraversalEnded& e);

 private:
  using Counter = prometheus::Counter;
  Counter& result(event::TraversalResult result, event::TraversalMethod method, event::TraversalFailure failure);
  Counter& by_type(event::NatType local, event::NatType remote, Family family, event::TraversalResult result);

  CounterPer<event::TraversalTrigger> attempts_;
  prometheus::Family<Counter>& results_;
  HistogramPer<event::TraversalResult> durations_;
  HistogramPer<event::TraversalPhase> phases_;
  prometheus::Family<Counter>& by_type_;
};

}  // namespace pw::observe
