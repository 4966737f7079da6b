// sim_speed: what simulating a large, healthy mesh costs.
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <numeric>
#include <set>
#include <string_view>
#include <vector>

#include "sim/world.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

constexpr int kMistaken = 2;
constexpr Duration kNearest = 2ms;  // one way, from the internet's core to a host
constexpr Duration kSpread = 40ms;

constexpr std::string_view kHelp = R"(sim_speed: what simulating a large, healthy mesh costs.

  --nodes N     daemons, all on the public internet (100)
  --degree D    each is a neighbour of D others, in D/2 random rings; 0: everybody of everybody (0)
  --minutes M   virtual time, from the start of all daemons at once (10)
  --seed S      (1)
  --rules       with the rules that hold in every test; without, by default

Prints what happened and what it cost. sim_speed has real QUIC inside, sim_speed_standin the stand-in. Exit status: 0 when
every neighbour was connected in the end, 1 when not, 2 when an option is wrong.
)";

struct Arguments {
  std::size_t nodes = 100;
  std::size_t degree = 0;
  std::size_t minutes = 10;
  std::size_t seed = 1;
  bool rules = false;
};

/// What is wrong with them, or nothing.
std::string parse(int argc, char** argv, Arguments& a) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--rules") {
      a.rules = true;
      continue;
    }
    std::size_t* const value = option == "--nodes"     ? &a.nodes
                               : option == "--degree"  ? &a.degree
                               : option == "--minutes" ? &a.minutes
                               : option == "--seed"    ? &a.seed
                                                       : nullptr;
    if (value == nullptr) return "unknown option " + std::string{option};
    const std::string_view text = i + 1 < argc ? argv[++i] : "";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::string{option} + " needs a number";
  }
  constexpr std::size_t kMost = 60'000;  // keys that hosts can be given
  if (a.nodes < 2 || a.nodes > kMost) return "--nodes is from 2 to 60000";
  if (a.degree % 2 != 0) return "--degree is even";
  return {};
}

using Edges = std::set<std::pair<std::size_t, std::size_t>>;

Edges rings(std::size_t nodes, std::size_t degree, Rng rng) {
  Edges edges;
  std::vector<std::size_t> order(nodes);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t ring = 0; ring < degree / 2; ++ring) {
    for (std::size_t i = nodes; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    for (std::size_t i = 0; i < nodes; ++i) edges.insert(std::minmax(order[i], order[(i + 1) % nodes]));
  }
  return edges;
}

Edges everybody(std::size_t nodes) {
  Edges edges;
  for (std::size_t i = 0; i < nodes; ++i)
    for (std::size_t j = i + 1; j < nodes; ++j) edges.emplace(i, j);
  return edges;
}

/// Counts ends of sessions that are connected.
class Census : public Checker {
 public:
  explicit Census(std::size_t all) : Checker{"census"}, all_{all} {}
  void recorded(Instant at, const Host&, const event::Record& record) override {
    ++events;
    const auto* changed = std::get_if<event::StateChanged>(&record.event);
    if (changed == nullptr) return;
    connected += changed->to == event::SessionState::connected;
    connected -= changed->from == event::SessionState::connected;
    if (connected == all_ && !complete) complete = at;
  }
  std::size_t connected = 0;
  std::uint64_t events = 0;
  std::optional<Instant> complete;

 private:
  std::size_t all_;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux: kilobytes
}

void populate(World& w, std::size_t nodes, const Edges& edges) {
  // The way is in front of each host: no pair has a wire of its own.
  w.default_link = {};
  Rng rng = w.net.rng_for("distances");
  for (std::size_t i = 0; i < nodes; ++i) {
    Host& host = w.add("n" + std::to_string(i));
    host.machine().interfaces()[0]->down.link.delay = kNearest + rng.up_to(kSpread);
    host.keep_events = false;
  }
  for (const auto& [i, j] : edges) {
    w.host(i).membership.peers.push_back(w.host(j).spec());
    w.host(j).membership.peers.push_back(w.host(i).spec());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "--help") return std::cout << kHelp, 0;
  Arguments a;
  if (const std::string wrong = parse(argc, argv, a); !wrong.empty()) {
    std::cerr << "sim_speed: " << wrong << " (see --help)\n";
    return kMistaken;
  }
  const auto begun = std::chrono::steady_clock::now();
  World w{a.seed, a.rules ? World::Rules::all : World::Rules::none};
  const bool full = a.degree == 0 || a.degree + 1 >= a.nodes;
  const Edges edges = full ? everybody(a.nodes) : rings(a.nodes, a.degree, w.net.rng_for("neighbours"));
  populate(w, a.nodes, edges);
  auto census = std::make_unique<Census>(2 * edges.size());
  const Census& seen = *census;
  w.add(std::move(census));
  const double prepared = cpu_seconds();

  w.start_all();
  w.run_for(std::chrono::minutes{a.minutes});

  const double cpu = cpu_seconds() - prepared;
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const auto packets = static_cast<double>(w.packets_sent());
  std::printf("%zu nodes, %zu sessions, %zu simulated minutes\n", a.nodes, edges.size(), a.minutes);
  if (seen.complete)
    std::printf("all connected after     %10.2f s\n", to_seconds(*seen.complete - net::Net::kStart));
  else
    std::printf("connected in the end    %10zu of %zu ends\n", seen.connected, 2 * edges.size());
  std::printf("packets                 %10.0f\n", packets);
  std::printf("events                  %10llu\n", static_cast<unsigned long long>(seen.events));
  std::printf("preparation             %10.2f s of CPU\n", prepared);
  std::printf("run                     %10.2f s of CPU\n", cpu);
  std::printf("in all                  %10.2f s of wall time\n", wall);
  std::printf("packets a CPU second    %10.0f\n", packets / cpu);
  std::printf("CPU a packet            %10.2f us\n", cpu / packets * 1e6);
  std::printf("peak memory             %10.1f MB\n", peak_megabytes());
  const std::string wrong = w.verdict();
  if (!wrong.empty()) std::cout << wrong << '\n';
  return seen.connected == 2 * edges.size() && wrong.empty() ? 0 : 1;
}
