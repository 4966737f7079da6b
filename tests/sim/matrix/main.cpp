// sim_matrix: two daemons behind every pair of NATs.
#include <algorithm>
#include <charconv>
#include <iostream>
#include <string_view>
#include <thread>

#include "sim/matrix/table.hpp"
#include "sim/workers/workers.hpp"

using namespace pw;
using namespace pw::sim;
using namespace pw::sim::matrix;

namespace {

constexpr int kMissed = 1;
constexpr int kMistaken = 2;

constexpr std::string_view kHelp =
    R"(sim_matrix: two daemons that know each other by their ids only, behind every pair of NATs and in other places.

  --seeds N          runs of each cell (5)
  --first-seed S     of them (1)
  --loss P           of packets, each way: 0 to 0.5 (0)
  --foreign-flows R  flows that others behind each NAT that counts its ports up begin in a second (10)
  --cell A,B         this one only, named as in the table; may be repeated
  --jobs J           processes at once (as many as cores)
  --markdown         the table as such
  --seed S           with one --cell: one run again, with a log of all that happened, by virtual seconds
  --packets          with --seed: each packet too

A line a cell: what is best (P punch, S prediction, B birthday search, R relay, W relay over WebSocket; *: not built yet, held to
what comes instead), runs that came to it in time, what the ends told, time to connected, time from there to direct, the same
from the end of gathering in round trips of 80 ms (median and 99th percentile of each), packets that each node sent until then
(else within a minute; median). Then the bars. 40 ms each way between any two in the internet, 160 ms there and back through the relay.
Exit status: 0 when every bar is held as far as so many runs can tell, 1 when one is missed, 2 when an option is wrong.
)";

struct Arguments {
  std::uint64_t seeds = 5;
  std::uint64_t first = 1;
  std::uint64_t jobs = std::max(1U, std::thread::hardware_concurrency());
  double loss = 0;
  double foreign_flows = 10;
  std::optional<std::uint64_t> only;
  bool packets = false;
  Form form = Form::plain;
  std::vector<std::string> cells;
};

template <class T>
bool read(std::string_view text, T& out, T least, T most) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && out >= least && out <= most;
}

/// What is wrong with them, or nothing.
std::string parse(int argc, char** argv, Arguments& a) {
  constexpr std::uint64_t kMost = 1'000'000;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--markdown") {
      a.form = Form::markdown;
      continue;
    }
    if (option == "--packets") {
      a.packets = true;
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
    else if (option == "--jobs")
      good = read<std::uint64_t>(value, a.jobs, 1, 1024);
    else if (option == "--loss")
      good = read(value, a.loss, 0.0, 0.5);
    else if (option == "--foreign-flows")
      good = read(value, a.foreign_flows, 0.0, 1000.0);
    else if (option == "--cell")
      good = !a.cells.emplace_back(value).empty();
    else
      return "unknown option " + std::string{option};
    if (!good) return std::string{option} + " does not take “" + std::string{value} + "”";
  }
  if (a.only && a.cells.size() != 1) return "--seed needs one --cell";
  return {};
}

/// Those that were asked for; none if one of them is none.
std::vector<Cell> chosen(const Arguments& a) {
  std::vector<Cell> all = all_cells();
  if (a.cells.empty()) return all;
  std::vector<Cell> out;
  for (const std::string& name : a.cells) {
    const auto cell = std::ranges::find(all, name, &Cell::name);
    if (cell == all.end()) return {};
    out.push_back(*cell);
  }
  return out;
}

Conditions conditions(const Arguments& a, std::uint64_t seed) { return {a.loss, a.foreign_flows, seed}; }

int replay(const Arguments& a, const Cell& cell) {
  Conditions c = conditions(a, *a.only);
  c.log = &(std::cout << std::unitbuf);  // also when the seed brings it down
  c.log_packets = a.packets;
  const Tally tally{&cell, {run(cell, c)}};
  print_head(std::cout, a.form);
  print(std::cout, a.form, tally);
  print_mishaps(std::cout, tally, *a.only);
  return 0;
}

int run_all(const Arguments& a, const std::vector<Cell>& cells) {
  std::vector<Tally> tallies;
  for (const Cell& cell : cells) tallies.push_back({&cell, std::vector<Run>(a.seeds)});
  std::vector<std::uint64_t> left(cells.size(), a.seeds);
  std::size_t printed = 0;
  print_head(std::cout, a.form);
  run_in_workers(
      {0, a.seeds * cells.size()}, static_cast<unsigned>(a.jobs),
      [&](std::uint64_t job) { return to_line(run(cells[job / a.seeds], conditions(a, a.first + job % a.seeds))); },
      [&](std::uint64_t job, const std::string& line) {
        tallies[job / a.seeds].runs[job % a.seeds] = from_line(line);
        --left[job / a.seeds];
        for (; printed < cells.size() && left[printed] == 0; ++printed) print(std::cout, a.form, tallies[printed]);
        return true;
      });
  std::cout << '\n';
  for (const Tally& tally : tallies) print_mishaps(std::cout, tally, a.first);
  const auto bars = bars_of(tallies, a.loss);
  print_bars(std::cout, bars);
  return std::ranges::count(bars, Bar::Verdict::missed, &Bar::verdict) == 0 ? 0 : kMissed;
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
  const std::vector<Cell> cells = chosen(a);
  if (mistake.empty() && cells.empty()) mistake = "no such cell";
  if (!mistake.empty()) {
    std::cerr << "sim_matrix: " << mistake << "; --help tells more\n";
    return kMistaken;
  }
  return a.only ? replay(a, cells.front()) : run_all(a, cells);
}
