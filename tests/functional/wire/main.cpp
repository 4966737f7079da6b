// lab_wire: the simulated internet in real time, between the cables of real hosts.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "functional/wire/carrier.hpp"
#include "functional/wire/commands.hpp"
#include "functional/wire/report.hpp"
#include "functional/wire/turn.hpp"

namespace {

using namespace pw;
namespace scenario = pw::sim::scenario;

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;  // of the command line or in the file

/// {device, segment}.
using Plug = std::pair<std::string, std::string>;

struct Options {
  std::string file;
  std::vector<std::string> ports;
  std::uint64_t seed = 1;
};

int complain(const std::string& what, int status) {
  std::fprintf(stderr, "lab_wire: %s\n", what.c_str());
  return status;
}

/// "HOST:SEGMENT=INTERFACE".
Result<std::pair<Plug, std::string>> parse_port(const std::string& text) {
  const auto colon = text.find(':');
  const auto equals = text.find('=', colon == std::string::npos ? 0 : colon);
  if (colon == std::string::npos || equals == std::string::npos)
    return fail("expected HOST:SEGMENT=INTERFACE, found " + text);
  return std::pair{Plug{text.substr(0, colon), text.substr(colon + 1, equals - colon - 1)}, text.substr(equals + 1)};
}

Result<scenario::Scenario> read_scenario(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return fail(path + " can't be read");
  scenario::Loaded loaded = scenario::load(path, text.str());
  if (loaded.ok()) return std::move(loaded.scenario);
  std::string lines;
  for (const config::Problem& problem : loaded.problems) lines += (lines.empty() ? "" : "\n") + problem.to_string();
  return fail(lines);
}

int carry(const scenario::Scenario& scenario, const scenario::Plan& plan, std::map<Plug, lab::Cable> cables,
          std::uint64_t seed) {
  const lab::Timeline timeline;
  lab::Losses losses;
  std::vector<std::unique_ptr<lab::Port>> ports;  // interfaces of the net refer to them
  net::Net net{seed};
  net.add_observer(losses);
  scenario::Network network{
      net, scenario, plan,
      [&](const std::string& device, const scenario::Attachment& at, net::Segment& segment) -> net::Interface& {
        const auto cable = cables.find({device, at.segment});
        ports.push_back(std::make_unique<lab::Port>(net, timeline, device + ":" + at.segment, std::move(cable->second)));
        net::Interface& interface = segment.attach(*ports.back(), at.addresses, at.access);
        ports.back()->plug(interface);
        return interface;
      }};
  lab::Commands commands{net, network, scenario,
                         [](net::Device& device, bool in) { return dynamic_cast<lab::Port&>(device).set_carrier(in); }};
  lab::Carrier carrier{net, timeline, ports, [&](const std::string& line) { return commands.execute(line); },
                       [&] { return lab::report(net, ports, losses); }};
  const auto done = carrier.run();
  return done ? 0 : complain(done.error().detail, kFailed);
}

int run(const Options& options) {
  const auto scenario = read_scenario(options.file);
  if (!scenario) return complain(scenario.error().detail, kWrongUse);
  std::map<Plug, std::string> interfaces;
  std::set<Plug> plugs;
  for (const std::string& text : options.ports) {
    const auto port = parse_port(text);
    if (!port) return complain(port.error().detail, kWrongUse);
    if (!interfaces.insert(*port).second) return complain(text + ": this plug is given twice", kWrongUse);
    plugs.insert(port->first);
  }
  const auto plan = scenario::Plan::around(*scenario, plugs);
  if (!plan) return complain(plan.error().detail, kWrongUse);
  std::map<Plug, lab::Cable> cables;
  for (const auto& [plug, interface] : interfaces) {
    auto cable = lab::Cable::open(interface);
    if (!cable) return complain(cable.error().detail, kFailed);
    cables.emplace(plug, std::move(*cable));
  }
  static_cast<void>(lab::ask_for_quick_turns());  // an ordinary user's packets are less punctual
  return carry(*scenario, *plan, std::move(cables), options.seed);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Carries the network of a scenario file (docs/scenarios.md) between real hosts: runs in the network namespace that\n"
      "has the far ends of their virtual cables, and does what segments, links and routers are declared to do.\n\n"
      "On each host's end: `ip link set eth0 gso_max_segs 1`, routes, addresses. Prints \"ready\" when it carries. Reads\n"
      "from standard input, a line each, and answers \"ok\" or \"error ...\":\n"
      "  {\"what\": \"link\", \"from\": \"a\", \"to\": \"b\", \"set\": {\"delay\": \"50ms\"}}    a [[do]] of the file's language, done now\n"
      "  start    the scenario's time begins: its [[do]] with links, routers and addresses are done when they are due\n"
      "A superuser's runs with a real-time priority, and is punctual also on a busy machine.\n"
      "On SIGUSR1, and before it ends on SIGTERM, SIGINT or the end of its input, prints what it counted as a line of JSON.\n"
      "Status: 0 told to end, 1 a failure, 2 the command line or the file is wrong."};
  app.add_option("--scenario", options.file, "the file")->required();
  app.add_option("--port", options.ports,
                 "HOST:SEGMENT=INTERFACE: the far end of a host's cable. A router that is given is a real one; the others\n"
                 "are simulated. Segments that have a device without a port are not carried")
      ->required()
      ->take_all();
  app.add_option("--seed", options.seed, "of everything random (1)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUse;
  }
  return run(options);
}
