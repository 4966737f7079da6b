// sim_scenario: runs scenario files (docs/scenarios.md) in the simulator.
#include <charconv>
#include <fstream>
#include <iostream>
#include <iterator>

#include "sim/scenario/run/runner.hpp"

namespace {

using namespace pw::sim::scenario;

constexpr const char* kUsage =
    "usage: sim_scenario [--seed N] FILE...\n"
    "Runs each scenario in the simulator and prints one line of JSON for it (docs/scenarios.md).\n"
    "  --seed N   the run's random numbers; the same seed gives the same run (default 1)\n"
    "Exit status: 0 all is as expected, 1 something is not, 2 a file or the command line is at fault.\n";

constexpr int kUnexpected = 1;
constexpr int kAtFault = 2;

int run_file(const std::string& path, std::uint64_t seed) {
  std::ifstream in{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (!in.is_open() || in.bad()) {
    std::cerr << path << ": can't be read\n";
    return kAtFault;
  }
  const Loaded loaded = load(path, text);
  for (const auto& problem : loaded.problems) std::cerr << problem.to_string() << "\n";
  if (!loaded.ok()) return kAtFault;
  const Report report = run(loaded.scenario, seed);
  std::cout << to_json(report) << std::endl;
  return report.passed() ? 0 : kUnexpected;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> files;
  std::uint64_t seed = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string word{argv[i]};
    if (word == "--help") {
      std::cout << kUsage;
      return 0;
    }
    if (word == "--seed" && i + 1 < argc) {
      const std::string_view number{argv[++i]};
      const auto parsed = std::from_chars(number.data(), number.data() + number.size(), seed);
      if (parsed.ec == std::errc{} && parsed.ptr == number.data() + number.size()) continue;
    } else if (!word.starts_with("-")) {
      files.push_back(word);
      continue;
    }
    std::cerr << kUsage;
    return kAtFault;
  }
  if (files.empty()) {
    std::cerr << kUsage;
    return kAtFault;
  }
  int worst = 0;
  for (const std::string& file : files) worst = std::max(worst, run_file(file, seed));
  return worst;
}
