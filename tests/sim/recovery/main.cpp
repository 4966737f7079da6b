// sim_recovery: faults of known cause and time, and how long sessions take to come back.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <thread>

#include "sim/recovery/trouble.hpp"
#include "sim/workers/workers.hpp"

using namespace pw;
using namespace pw::sim;
using namespace pw::sim::recovery;

namespace {

constexpr int kMissed = 1;
constexpr int kMistaken = 2;

constexpr std::string_view kHelp =
    R"(sim_recovery: faults of known cause and time in simulated networks, and how long it takes until echoes are answered again.

  --seeds N     runs of each fault (20)
  --first-seed S  of them (1)
  --only TEXT   faults whose name contains it
  --jobs J      processes at once (as many as cores)

A line a fault: runs that recovered; time until both ends had noticed, time to the first good echo at both (median and 99th percentile),
beside the least that is possible (a round trip of the way that is left), runs within the bar, packets sent until then, sessions lost.
Exit status: 0 when all runs recovered, none broke a rule, no session was lost that has to stay and the median keeps the bar, as far
as so many runs can tell; else 1; 2 when an option is wrong.
)";

struct Arguments {
  std::uint64_t seeds = 20;
  std::uint64_t first = 1;
  std::uint64_t jobs = std::max(1U, std::thread::hardware_concurrency());
  std::string only;
};

std::string parse(int argc, char** argv, Arguments& a) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const std::string_view value = i + 1 < argc ? argv[++i] : "";
    std::uint64_t* number = option == "--seeds"        ? &a.seeds
                            : option == "--first-seed" ? &a.first
                            : option == "--jobs"       ? &a.jobs
                                                       : nullptr;
    if (option == "--only" && !value.empty()) {
      a.only = value;
      continue;
    }
    if (number == nullptr) return "unknown option " + std::string{option};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *number);
    if (error != std::errc{} || end != value.data() + value.size() || *number == 0 || *number > 1'000'000)
      return std::string{option} + " does not take “" + std::string{value} + "”";
  }
  return {};
}

template <class Of>
std::string percentiles(const std::vector<Outcome>& runs, Of of) {
  std::vector<double> all;
  for (const Outcome& o : runs)
    if (o.took) all.push_back(to_seconds(of(o)));
  if (all.empty()) return "–";
  std::ranges::sort(all);
  const auto at = [&](double share) { return all[std::min(all.size() - 1, static_cast<std::size_t>(share * static_cast<double>(all.size())))]; };
  char out[48];
  std::snprintf(out, sizeof out, "%.2f, %.2f", at(0.5), at(0.99));
  return out;
}

/// Prints its line; whether all is as it has to be.
bool judge(const Trouble& trouble, const std::vector<Outcome>& runs) {
  const auto n = static_cast<long>(runs.size());
  const auto recovered = std::ranges::count_if(runs, [](const Outcome& o) { return o.took.has_value(); });
  const auto in_time = std::ranges::count_if(runs, [](const Outcome& o) { return o.took && *o.took <= o.allowed; });
  const auto clean = std::ranges::count_if(runs, [](const Outcome& o) { return o.broken.empty(); });
  const auto lost = std::ranges::count_if(runs, [](const Outcome& o) { return o.sessions_lost != 0; });
  std::vector<std::uint64_t> packets;
  for (const Outcome& o : runs) packets.push_back(o.packets);
  std::ranges::nth_element(packets, packets.begin() + n / 2);
  const auto share = [n](long of) { return std::to_string(of) + "/" + std::to_string(n); };
  std::cout << "| " << trouble.name << " | " << trouble.from << " | " << share(recovered) << " | "
            << percentiles(runs, [](const Outcome& o) { return o.noticed; }) << " | "
            << percentiles(runs, [](const Outcome& o) { return *o.took; }) << " | "
            << percentiles(runs, [](const Outcome& o) { return o.least; }) << " | "
            << (trouble.bar.empty() ? "–" : std::string{trouble.bar} + ": " + share(in_time)) << " | "
            << packets[static_cast<std::size_t>(n / 2)] << " | " << share(lost) << " | " << share(clean) << " |" << std::endl;
  // The median keeps it, as far as so many runs can tell: two standard deviations.
  const bool bar = trouble.bar.empty() || static_cast<double>(in_time) >= 0.5 * static_cast<double>(n) - std::sqrt(static_cast<double>(n));
  return recovered == n && clean == n && bar && (!trouble.keeps_sessions || lost == 0);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::string_view{argv[i]} == "--help" || std::string_view{argv[i]} == "-h") {
      std::cout << kHelp;
      return 0;
    }
  Arguments a;
  std::string mistake = parse(argc, argv, a);
  std::vector<Trouble> troubles;
  for (const Trouble& t : all_troubles())
    if (t.name.find(a.only) != t.name.npos) troubles.push_back(t);
  if (mistake.empty() && troubles.empty()) mistake = "there is no such fault";
  if (!mistake.empty()) {
    std::cerr << "sim_recovery: " << mistake << "; --help tells more\n";
    return kMistaken;
  }
  std::cout << "| fault | counted from | recovered | noticed, s | first good echo, s | least, s | within the bar | packets | lost sessions | no rule broken |\n"
               "|---|---|---|---|---|---|---|---|---|---|\n";
  bool good = true;
  std::string mishaps;
  for (const Trouble& trouble : troubles) {
    std::vector<Outcome> runs(a.seeds);
    run_in_workers(
        {a.first, a.seeds}, static_cast<unsigned>(a.jobs), [&](std::uint64_t seed) { return to_line(trouble.run(seed)); },
        [&](std::uint64_t seed, const std::string& line) {
          Outcome& o = runs[seed - a.first] = from_line(line);
          if (!o.took && o.broken.empty()) o.broken = "not recovered";
          if (!o.broken.empty()) mishaps += std::string{trouble.name} + ", seed " + std::to_string(seed) + ": " + o.broken + "\n";
          return true;
        });
    good = judge(trouble, runs) && good;
  }
  std::cout << '\n' << mishaps;
  return good ? 0 : kMissed;
}
