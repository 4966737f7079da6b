// Run: two daemons that start somewhere, know each other by their ids only, and what came of it: seen from outside, and
// as they tell it.
#pragma once

#include <array>
#include <optional>
#include <ostream>
#include <string>

#include "sim/matrix/cell.hpp"

namespace pw::sim::matrix {

/// Each way between any two plugs of the internet: hosts there, routers, servers. So a round trip is 80 ms directly and
/// 160 ms through the relay; loss strikes each of the relay's two legs by itself.
inline constexpr Duration kDelay = 40ms;
inline constexpr Duration kRtt = 2 * kDelay;

struct Conditions {
  double loss = 0;           // of packets, each way
  double foreign_flows = 0;  // that begin in a second, of others behind each NAT that counts its ports up
  std::uint64_t seed = 1;
  std::ostream* log = nullptr;  // all that happens, for people
  bool log_packets = false;
};

/// Within which the direct path has to be there, from the end of gathering: what the matrix sets where nothing is lost;
/// with loss, an attempt that failed and the next one.
Duration gate(Best best, double loss);

struct Run {
  Outcome outcome = Outcome::apart;
  bool in_time = false;                      // a direct path, by the gate
  std::optional<Duration> connected;         // the later end, since the later start
  std::optional<Duration> direct;            // since then
  std::optional<Duration> direct_gathered;   // since the end of gathering
  std::array<std::uint32_t, 2> packets{};    // that each node sent: until both were direct, else within kWatched
  std::array<std::string, 2> method;         // of the attempt, as each end told it
  std::string untrue;                        // what a node says that is not so
  std::string broken;                        // the rule that always holds
  bool operator==(const Run&) const = default;
};

/// How long two stay under watch that nothing leads through.
inline constexpr Duration kWatched = 60s;

Run run(const Cell& cell, const Conditions& conditions);

/// For a pipe between processes: one line. Of what is no such line (the process died) the whole is told as a broken rule.
std::string to_line(const Run& run);
Run from_line(const std::string& line);

}  // namespace pw::sim::matrix
