// sim_swarm: random worlds, one a seed.
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <thread>

#include "sim/checks.hpp"
#include "sim/swarm/random_world.hpp"
#include "sim/workers/workers.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

constexpr int kFailed = 1;
constexpr int kMistaken = 2;
constexpr std::uint64_t kRepeatEvery = 10;  // seeds: one of so many runs twice, and must do the same

constexpr std::string_view kHelp =
    R"(sim_swarm: daemons in random simulated networks under random faults, a world for each seed.

  --seeds N        how many seeds (PEERWATCH_SWARM_SEEDS in the environment, else 1000)
  --first-seed S   the first of them (1)
  --nodes N        daemons in each world, 2 to 1000 (8)
  --hours H        virtual time under faults in each world, such as 0.5 (by default one to two minutes)
  --jobs J         processes at once (as many as cores)
  --stop-at-first  no further seeds after one that failed
  --seed S         one seed, with a log of all that happened: who is where, faults, events, by virtual seconds
  --packets        with --seed: each packet too

Prints a line for each seed that failed, with the first rule that was broken. Every tenth seed runs twice and must do the
same again. Exit status: 0 when all seeds are clean, 1 when not, 2 when an option is wrong.
)";

struct Arguments {
  std::uint64_t seeds = sim::seeds("PEERWATCH_SWARM_SEEDS");
  std::uint64_t first = 1;
  std::optional<std::uint64_t> only;
  std::uint64_t nodes = 8;
  std::uint64_t jobs = std::max(1U, std::thread::hardware_concurrency());
  double hours = 0;
  bool stop_at_first = false;
  bool packets = false;
};

template <class T>
bool read(std::string_view text, T& out, T least, T most) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && out >= least && out <= most;
}

/// What is wrong with them, or nothing.
std::string parse(int argc, char** argv, Arguments& a) {
  constexpr std::uint64_t kMost = 1'000'000'000'000;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--stop-at-first" || option == "--packets") {
      (option == "--packets" ? a.packets : a.stop_at_first) = true;
      continue;
    }
    const std::string_view value = i + 1 < argc ? argv[++i] : "";
    bool good = false;
    if (option == "--seeds")
      good = read<std::uint64_t>(value, a.seeds, 1, kMost);
    else if (option == "--first-seed")
      good = read<std::uint64_t>(value, a.first, 0, kMost);
    else if (option == "--seed")
      good = read<std::uint64_t>(value, a.only.emplace(), 0, kMost);
    else if (option == "--nodes")
      good = read<std::uint64_t>(value, a.nodes, 2, 1000);
    else if (option == "--jobs")
      good = read<std::uint64_t>(value, a.jobs, 1, 1024);
    else if (option == "--hours")
      good = read(value, a.hours, 0.001, 10'000.0);
    else
      return "unknown option " + std::string{option};
    if (!good) return std::string{option} + " needs a number in its range, not “" + std::string{value} + "”";
  }
  return {};
}

RandomWorldOptions options_of(const Arguments& a) {
  RandomWorldOptions o;
  o.nodes = a.nodes;
  o.chaos = from_seconds(a.hours * 3600);
  return o;
}

std::string run(std::uint64_t seed, RandomWorldOptions options) {
  options.digest = seed % kRepeatEvery == 0;
  RandomWorld world{seed, options};
  const std::string wrong = world.run();
  if (!wrong.empty() || !options.digest) return wrong;
  RandomWorld again{seed, options};
  again.run();
  return world.digest() == again.digest() ? "" : "two runs with one seed differ";
}

int replay(const Arguments& a) {
  RandomWorldOptions options = options_of(a);
  options.log = &(std::cout << std::unitbuf);  // also when the seed brings it down
  options.log_packets = a.packets;
  const std::string wrong = RandomWorld{*a.only, options}.run();
  std::cout << "seed " << *a.only << ": " << (wrong.empty() ? "clean" : wrong) << '\n';
  return wrong.empty() ? 0 : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::string_view{argv[i]} == "--help" || std::string_view{argv[i]} == "-h") {
      std::cout << kHelp;
      return 0;
    }
  Arguments a;
  if (const std::string mistake = parse(argc, argv, a); !mistake.empty()) {
    std::cerr << "sim_swarm: " << mistake << "; --help tells more\n";
    return kMistaken;
  }
  if (a.only) return replay(a);
  std::uint64_t clean = 0;
  std::uint64_t failed = 0;
  run_in_workers(
      {a.first, a.seeds}, static_cast<unsigned>(a.jobs), [&](std::uint64_t seed) { return run(seed, options_of(a)); },
      [&](std::uint64_t seed, const std::string& wrong) {
        ++(wrong.empty() ? clean : failed);
        if (!wrong.empty()) std::cout << "seed " << seed << ": " << wrong << std::endl;
        return wrong.empty() || !a.stop_at_first;
      });
  std::cout << clean << " seeds clean, " << failed << " failed\n";
  return failed == 0 ? 0 : kFailed;
}
