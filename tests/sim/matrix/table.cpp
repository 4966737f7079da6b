#include "sim/matrix/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

namespace pw::sim::matrix {
namespace {

constexpr std::array kColumns{"first",     "second",         "best", "as expected",   "told",         "connected, s",
                              "direct, s", "gathered, RTT", "packets of each", "says the truth"};
constexpr std::array kWidths{14, 14, 4, 12, 24, 12, 12, 13, 15, 14};

void row(std::ostream& out, Form form, const std::array<std::string, kColumns.size()>& cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    out << (form == Form::markdown ? "| " : "") << cells[i];
    const auto width = static_cast<std::size_t>(kWidths[i]);
    if (form == Form::plain && cells[i].size() < width) out << std::string(width - cells[i].size(), ' ');
    out << ' ';
  }
  out << (form == Form::markdown ? "|\n" : "\n") << std::flush;
}

/// The least value that so many of them do not exceed.
template <class T>
T quantile(std::vector<T> values, double q) {
  std::ranges::sort(values);
  const auto at = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
  return values[std::min(at == 0 ? 0 : at - 1, values.size() - 1)];
}

/// Median and 99th percentile.
std::string times(const std::vector<Run>& runs, std::optional<Duration> Run::*which, double unit, const char* format) {
  std::vector<double> all;
  for (const Run& run : runs)
    if (run.*which) all.push_back(to_seconds(*(run.*which)) / unit);
  if (all.empty()) return "-";
  char text[48];
  std::snprintf(text, sizeof text, format, quantile(all, 0.5), quantile(all, 0.99));
  return text;
}

std::string share(std::size_t hits, std::size_t runs) {
  return std::to_string(hits) + "/" + std::to_string(runs);
}

/// What most runs told, the ends' words by turns if they differ.
std::string told(const std::vector<Run>& runs) {
  std::map<std::string, std::size_t> all;
  for (const Run& run : runs) ++all[run.method[0] == run.method[1] ? run.method[0] : run.method[0] + "/" + run.method[1]];
  if (all.empty()) return "-";
  return std::ranges::max_element(all, {}, [](const auto& one) { return one.second; })->first;
}

std::uint32_t packets(const std::vector<Run>& runs, std::size_t end) {
  std::vector<std::uint32_t> all;
  for (const Run& run : runs) all.push_back(run.packets.at(end));
  return quantile(std::move(all), 0.5);
}

}  // namespace

void print_head(std::ostream& out, Form form) {
  row(out, form, [] {
    std::array<std::string, kColumns.size()> names;
    std::ranges::copy(kColumns, names.begin());
    return names;
  }());
  if (form == Form::markdown) {
    for (std::size_t i = 0; i < kColumns.size(); ++i) out << "|---";
    out << "|\n";
  }
}

void print(std::ostream& out, Form form, const Tally& tally) {
  const auto& runs = tally.runs;
  const auto hits = std::ranges::count_if(runs, [&](const Run& r) { return as_expected(*tally.cell, r); });
  const auto true_ones = std::ranges::count_if(runs, [](const Run& r) { return r.untrue.empty(); });
  row(out, form,
      {tally.cell->first, tally.cell->second, std::string{letter(tally.cell->best)}, share(static_cast<std::size_t>(hits), runs.size()), told(runs),
       times(runs, &Run::connected, 1, "%.2f, %.2f"), times(runs, &Run::direct, 1, "%.2f, %.2f"),
       times(runs, &Run::direct_gathered, to_seconds(kRtt), "%.1f, %.1f"),
       std::to_string(packets(runs, 0)) + ", " + std::to_string(packets(runs, 1)),
       share(static_cast<std::size_t>(true_ones), runs.size())});
}

void print_bars(std::ostream& out, const std::vector<Bar>& bars) {
  for (const Bar& bar : bars) {
    if (bar.what.find(':') != std::string::npos && bar.what.find("all cells") == std::string::npos &&
        bar.verdict() == Bar::Verdict::held)
      continue;
    char numbers[80];
    std::snprintf(numbers, sizeof numbers, "%zu of %zu, %.2f %% (bar: %.1f %%)", bar.hits, bar.runs,
                  100.0 * static_cast<double>(bar.hits) / static_cast<double>(bar.runs), 100 * bar.share);
    out << bar.what << ": " << numbers << ": " << pw::name(bar.verdict()) << '\n';
  }
}

void print_mishaps(std::ostream& out, const Tally& tally, std::uint64_t first_seed) {
  constexpr std::size_t kShown = 3;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < tally.runs.size() && shown < kShown; ++i) {
    const Run& run = tally.runs[i];
    std::string what = run.broken.empty() ? run.untrue : run.broken;
    if (what.empty() && !as_expected(*tally.cell, run))
      what = std::string{pw::name(run.outcome)} + (run.outcome == Outcome::direct ? ", too late" : "");
    if (what.empty()) continue;
    out << tally.cell->name() << ", seed " << first_seed + i << ": " << what << '\n';
    ++shown;
  }
}

}  // namespace pw::sim::matrix
