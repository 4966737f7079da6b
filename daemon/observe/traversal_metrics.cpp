#include "observe/traversal_metrics.hpp"

namespace pw::observe {

using namespace event;

namespace {

const Bounds kMilliseconds = {50, 100, 250, 500, 1000, 2000, 3000, 6000, 10000, 30000};

const Bounds kPhaseSeconds = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

std::string text(std::string_view s) { return std::string{s}; }

}  // namespace

TraversalMetrics::TraversalMetrics(prometheus::Registry& r)
    : attempts_{counters(r, "nat_attempts_total", "Attempts to come to a direct path that were needed, by what made them necessary."),
                "trigger"},
      results_{counters(r, "nat_results_total", "How attempts to come to a direct path have ended.")},
      durations_{histograms(r, "nat_duration_ms", "From the beginning of a round of punching to its end."), "result",
                 kMilliseconds},
      phases_{histograms(r, "nat_phase_duration_seconds", "How long the phases of attempts took."), "phase", kPhaseSeconds},
      by_type_{counters(r, "nat_traversal_by_type_total", "How attempts have ended, by the NATs of both ends.")} {
  for (const TraversalMethod method : {TraversalMethod::punch, TraversalMethod::port_mapping, TraversalMethod::prediction,
                                       TraversalMethod::birthday}) {
    result(TraversalResult::success, method, TraversalFailure::none);
    result(TraversalResult::cancelled, method, TraversalFailure::none);
    for (const auto failure : {TraversalFailure::timeout, TraversalFailure::coordination, TraversalFailure::validation,
                               TraversalFailure::budget, TraversalFailure::no_candidates})
      result(TraversalResult::failure, method, failure);
  }
  for (const auto failure : {TraversalFailure::infeasible, TraversalFailure::no_candidates})
    result(TraversalResult::failure, TraversalMethod::none, failure);
  for (const auto method : {TraversalMethod::prediction, TraversalMethod::birthday})
    result(TraversalResult::failure, method, TraversalFailure::infeasible);
}

TraversalMetrics::Counter& TraversalMetrics::result(TraversalResult result, TraversalMethod method,
                                                    TraversalFailure failure) {
  return results_.Add({{"result", text(name(result))}, {"method", text(name(method))}, {"failure", text(name(failure))}});
}

TraversalMetrics::Counter& TraversalMetrics::by_type(NatType local, NatType remote, pw::Family family,
                                                     TraversalResult result) {
  return by_type_.Add({{"local_nat", text(name(local))},
                       {"remote_nat", text(name(remote))},
                       {"family", text(name_of(family))},
                       {"result", text(name(result))}});
}

void TraversalMetrics::count(const TraversalStarted& e) {
  attempts_[e.trigger].Increment();
  // A pair of types is known from now on; how the attempt ends comes later.
  for (std::size_t i = 0; i < enum_count<TraversalResult>(); ++i)
    by_type(e.local_nat, e.remote_nat, e.family, static_cast<TraversalResult>(i));
}

void TraversalMetrics::count(const TraversalEnded& e) {
  result(e.result, e.method, e.failure).Increment();
  by_type(e.local_nat, e.remote_nat, e.family, e.result).Increment();
  if (e.took) durations_[e.result].Observe(to_milliseconds(*e.took));
  for (std::size_t i = 0; i < e.phases.size(); ++i)
    if (e.phases[i]) phases_[static_cast<TraversalPhase>(i)].Observe(to_seconds(*e.phases[i]));
}

}  // namespace pw::observe
