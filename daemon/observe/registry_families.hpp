// Families of prometheus-cpp's registry by our enums: a label's values are the names of an enum, and all of them exist
// at 0 from the start, so that a rate sees the first increment. Included by this room's metrics sources only.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <string>
#include <vector>

#include "base/names.hpp"

namespace pw::observe {

using Bounds = prometheus::Histogram::BucketBoundaries;

inline prometheus::Family<prometheus::Counter>& counters(prometheus::Registry& r, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(r);
}
inline prometheus::Family<prometheus::Gauge>& gauges(prometheus::Registry& r, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(r);
}
inline prometheus::Family<prometheus::Histogram>& histograms(prometheus::Registry& r, const char* name,
                                                             const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(r);
}

/// One metric for each enumerator from `First` on: those before are no value of the label.
template <class E, class Metric, std::size_t First = 0>
class PerName {
 public:
  template <class... Args>
  PerName(prometheus::Family<Metric>& family, const char* label, const Args&... args) {
    const auto all = names(E{});
    for (std::size_t i = First; i < all.size(); ++i) metrics_[i] = &family.Add({{label, std::string{all[i]}}}, args...);
  }
  Metric& operator[](E value) const { return *metrics_[static_cast<std::size_t>(value)]; }

 private:
  std::array<Metric*, enum_count<E>()> metrics_{};
};

template <class E, std::size_t First = 0>
using CounterPer = PerName<E, prometheus::Counter, First>;
template <class E>
using GaugePer = PerName<E, prometheus::Gauge>;
template <class E>
using HistogramPer = PerName<E, prometheus::Histogram>;

}  // namespace pw::observe
