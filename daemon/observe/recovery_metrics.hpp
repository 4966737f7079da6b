// What recovery is told of failures, and the circuit breakers of all peers, as metrics.
#pragma once

#include <array>

#include "event/failure.hpp"
#include "event/snapshot.hpp"
#include "observe/registry_families.hpp"

namespace pw::observe {

class RecoveryMetrics {
 public:
  explicit RecoveryMetrics(prometheus::Registry& r)
      : failures_{counters(r, "p2p_failures_total", "Failures whose cause was seen, as recovery is told them."), "category"},
        breakers_{gauges(r, "p2p_circuit_breakers", "Circuit breakers of the peers known now, by state."), "state"},
        transitions_{counters(r, "p2p_circuit_breaker_transitions_total",
                              "Changes of circuit breakers, by the state they came to."),
                     "to_state"} {}

  void count(const event::BreakerChanged& e) { transitions_[e.to].Increment(); }
  void sort(const event::Event& e) {
    if (const auto category = event::category_of(e)) failures_[*category].Increment();
  }
  void set(const event::NodeSnapshot& node) {
    std::array<std::size_t, enum_count<event::BreakerState>()> states{};
    for (const event::PeerSnapshot& peer : node.peers) ++states[static_cast<std::size_t>(peer.breaker.state)];
    for (std::size_t i = 0; i < states.size(); ++i)
      breakers_[static_cast<event::BreakerState>(i)].Set(static_cast<double>(states[i]));
  }

 private:
  CounterPer<event::FailureCategory> failures_;
  GaugePer<event::BreakerState> breakers_;
  CounterPer<event::BreakerState> transitions_;
};

}  // namespace pw::observe
