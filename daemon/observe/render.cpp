#include <prometheus/metric_family.h>

#include <optional>

#include "base/check.hpp"
#include "observe/exposition.hpp"
#include "observe/metrics_snapshot.hpp"
#include "observe/process_stats.hpp"

namespace pw::observe {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// What a sample takes on average; saves the growing of a large text.
constexpr std::size_t kSampleBytes = 96;

SeriesType type_of(MetricType type) {
  PW_CHECK(type == MetricType::Counter || type == MetricType::Gauge || type == MetricType::Histogram);
  if (type == MetricType::Counter) return SeriesType::counter;
  return type == MetricType::Gauge ? SeriesType::gauge : SeriesType::histogram;
}

/// `name="value",…`, escaped.
std::string labels_of(const ClientMetric& metric) {
  std::string out;
  for (const ClientMetric::Label& label : metric.label) {
    if (!out.empty()) out += ',';
    out.append(label.name).append("=\"");
    append_label_value(out, label.value);
    out += '"';
  }
  return out;
}

void write_histogram(Exposer& out, const std::string& name, const std::string& labels,
                     const ClientMetric::Histogram& histogram) {
  const std::string bucket = name + "_bucket{" + labels + (labels.empty() ? "" : ",");
  for (const ClientMetric::Bucket& b : histogram.bucket)
    out.sample(bucket, "le=\"" + bound_text(b.upper_bound), "\"} ", b.cumulative_count);
  const std::string braced = labels.empty() ? " " : "{" + labels + "} ";
  out.sample(name, "_sum", braced, histogram.sample_sum);
  out.sample(name, "_count", braced, histogram.sample_count);
}

void write_family(Exposer& out, const MetricFamily& family) {
  const SeriesType type = type_of(family.type);
  out.family(family.name, family.help, type);
  for (const ClientMetric& metric : family.metric) {
    const std::string labels = labels_of(metric);
    if (type == SeriesType::histogram) {
      write_histogram(out, family.name, labels, metric.histogram);
      continue;
    }
    const double value = type == SeriesType::counter ? metric.counter.value : metric.gauge.value;
    if (labels.empty())
      out.sample(family.name, "", " ", value);
    else
      out.sample(family.name, "{" + labels, "} ", value);
  }
}

}  // namespace

void write_process(Exposer& out, const MetricsSnapshot& snapshot) {
  std::size_t series = snapshot.series;
  const auto write = [&](std::string_view name, std::string_view help, SeriesType type, const auto& value,
                         int decimals) {
    if (!value) return;
    ++series;
    out.family(name, help, type);
    out.decimal(name, "", " ", *value, decimals);
  };
  using Number = std::optional<std::int64_t>;
  const auto whole = [](const std::optional<std::uint64_t>& v) {
    return v ? Number{static_cast<std::int64_t>(*v)} : Number{};
  };
  const auto in = [](const std::optional<Duration>& v, Duration unit) { return v ? Number{*v / unit} : Number{}; };
  const ProcessStats p = read_process_stats();
  using enum SeriesType;
  write("process_cpu_seconds_total", "CPU time of this process, user and system.", counter, in(p.cpu, 1us), 6);
  write("process_resident_memory_bytes", "Resident memory of this process.", gauge, whole(p.resident_bytes), 0);
  write("process_virtual_memory_bytes", "Virtual memory of this process.", gauge, whole(p.virtual_bytes), 0);
  write("process_virtual_memory_max_bytes", "Limit of virtual memory.", gauge, whole(p.virtual_max_bytes), 0);
  write("process_open_fds", "File descriptors in use.", gauge, whole(p.open_fds), 0);
  write("process_max_fds", "Limit of file descriptors.", gauge, whole(p.max_fds), 0);
  write("process_start_time_seconds", "When this process was started.", gauge, in(p.start_time, 10ms), 2);
  write("peerwatch_series", "Series in this exposition.", gauge, Number{static_cast<std::int64_t>(series + 1)}, 0);
}

std::string render(const MetricsSnapshot& snapshot, Exposition format) {
  Exposer out{format, snapshot.series * kSampleBytes};
  for (const MetricFamily& family : snapshot.node) write_family(out, family);
  write_peers(out, snapshot);
  write_process(out, snapshot);
  return std::move(out).finish();
}

}  // namespace pw::observe
