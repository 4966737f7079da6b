// A report as docs/scenarios.md has it.
#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/scenario/run/runner.hpp"

namespace pw::sim::scenario {
namespace {

using Json = nlohmann::ordered_json;

double rounded(double value, double digits) { return std::round(value * digits) / digits; }

Json seen(const Verdict& v) {
  Json out = Json::object();
  if (v.at_s) out["at_s"] = rounded(*v.at_s, 1e3);
  if (v.rtt_ms) out["rtt_ms"] = rounded(*v.rtt_ms, 1e4);
  if (v.loss) out["loss"] = rounded(*v.loss, 1e4);
  if (v.nat) out["nat"] = name(*v.nat);
  if (v.mapping) out["mapping"] = name(*v.mapping);
  if (v.filtering) out["filtering"] = name(*v.filtering);
  return out;
}

}  // namespace

std::string to_json(const Report& report) {
  Json out;
  out["scenario"] = report.scenario;
  out["engine"] = "simulator";
  out["seed"] = report.seed;
  out["skipped"] = nullptr;
  out["passed"] = report.passed();
  out["broken_rule"] = report.broken_rule.empty() ? Json(nullptr) : Json(report.broken_rule);
  out["results"] = Json::array();
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const Verdict& v = report.results[i];
    out["results"].push_back(Json{{"expect", i}, {"ok", v.ok}, {"seen", seen(v)}, {"why", v.why}});
  }
  return out.dump();
}

}  // namespace pw::sim::scenario
