#include "functional/wire/commands.hpp"

#include <nlohmann/json.hpp>

#include "sim/scenario/load.hpp"

namespace pw::lab {
namespace {

using nlohmann::json;
using sim::scenario::Act;
using sim::scenario::Do;
using sim::scenario::Scenario;

const config::Place kLine{"command", 0, 0};
constexpr int kDeepest = 5;  // {"set": {"bursts": {…}}} needs three

/// JSON has no values that the reader of scenarios does not know, but null.
config::Raw to_raw(const json& in, int depth) {
  config::Raw out{kLine, config::Raw::Other{"null, or something nested"}};
  if (in.is_boolean()) out.value = in.get<bool>();
  if (in.is_number_integer()) out.value = in.get<std::int64_t>();
  if (in.is_number_float()) out.value = in.get<double>();
  if (in.is_string()) out.value = in.get<std::string>();
  if (depth >= kDeepest) return out;
  if (in.is_array()) {
    config::Raw::List list;
    for (const json& one : in) list.push_back(to_raw(one, depth + 1));
    out.value = std::move(list);
  }
  if (in.is_object()) {
    config::Raw::Table table;
    for (const auto& [key, value] : in.items()) table.push_back({key, kLine, to_raw(value, depth + 1)});
    out.value = std::move(table);
  }
  return out;
}

/// As if the line stood in the scenario's file, so that it is read and checked by the same rules.
Result<Do> read_do(json line, const Scenario& scenario) {
  line["at"] = "0s";
  sim::scenario::Draft draft;
  draft.scenario = scenario;
  draft.scenario.dos.clear();
  draft.scenario.expects.clear();
  config::Problems problems;
  const config::Raw::Table table{{"do", kLine, {kLine, config::Raw::List{to_raw(line, 0)}}}};
  sim::scenario::Fields fields{table, "command", problems, kLine.file};
  sim::scenario::read_script(fields, draft);
  sim::scenario::check_script(draft, problems);
  for (const config::Problem& problem : problems.take({})) return fail(problem.message);
  if (draft.scenario.dos.size() != 1) return fail("nothing to do");
  return draft.scenario.dos.front();
}

}  // namespace

Commands::Commands(net::Net& net, sim::scenario::Network& network, const Scenario& scenario, Plugged plugged)
    : net_{net}, network_{network}, scenario_{scenario}, plugged_{std::move(plugged)} {}

std::string Commands::execute(const std::string& line) {
  if (line == "start") return start();
  const json parsed = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return "error this is no object of JSON";
  const auto action = read_do(parsed, scenario_);
  if (!action) return "error " + action.error().detail;
  const auto done = carry_out(*action);
  return done ? "ok" : "error " + done.error().detail;
}

std::string Commands::start() {
  if (std::exchange(started_, true)) return "error it has started";
  for (const Do& action : scenario_.dos) {
    const bool ours = action.what == Act::link || action.what == Act::reboot || action.what == Act::addresses;
    // What is on a segment that is not carried, or a router that is real, is somebody else's: that it fails is right.
    if (ours) net_.at(net_.now() + action.at, [this, &action] { static_cast<void>(carry_out(action)); });
  }
  return "ok";
}

Status Commands::carry_out(const Do& action) {
  switch (action.what) {
    case Act::kill:
    case Act::start:
    case Act::stop:
    case Act::freeze:
      return fail("programs are not the wire's business");
    case Act::unplug:
      return plug(action.on, false);
    case Act::plug:
      return plug(action.on, true);
    case Act::link:
      return network_.link(action.on, action.to, action.set, action.both);
    case Act::reboot:
      return network_.reboot(action.on, action.lasts);
    case Act::addresses:
      return change_addresses(action);
  }
  return fail("unknown");
}

Status Commands::plug(const std::string& host, bool in) {
  const auto plugs = network_.plugs(host);
  if (plugs.empty()) return fail(host + " is not carried here");
  if (const auto done = plugged_(plugs.front()->device, in); !done) return done;
  plugs.front()->enabled = in;
  return {};
}

Status Commands::change_addresses(const Do& action) {
  if (network_.router(action.on) != nullptr) return network_.change_addresses(action.on, action.addresses);
  const auto plugs = network_.plugs(action.on);
  if (plugs.empty()) return fail(action.on + " is not carried here");
  plugs.front()->segment.set_addresses(*plugs.front(), action.addresses);
  return {};
}

}  // namespace pw::lab
