// Troubles: faults of known cause and time, each with two daemons (or a small mesh) in it, and how long it takes until echoes
// are answered again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace pw::sim::recovery {

/// Of one run.
struct Outcome {
  /// From when on recovery is possible (the fault, or its end) until both ends, or all pairs, had an echo answered that was asked
  /// after that. None: not within the trouble's limit.
  std::optional<Duration> took;
  /// From the fault until both ends had noticed; nothing where recovery begins with the fault's end.
  Duration noticed{};
  Duration least{};    // a round trip of the way that is left: no recovery is faster
  Duration allowed{};  // the bar for this run; none where it is 0
  std::uint64_t packets = 0;  // that all machines sent, from the fault until recovery
  unsigned sessions_lost = 0; // of those that were up before
  std::string broken;         // a rule, or what makes the run worthless
};

std::string to_line(const Outcome& outcome);
/// A line that is none is what brought the run down.
Outcome from_line(const std::string& line);

struct Trouble {
  std::string_view name;
  std::string_view from;  // what the time counts from
  std::string_view bar;   // what `allowed` is; empty: none
  bool keeps_sessions;    // no session may end for it
  Outcome (*run)(std::uint64_t seed);
};

const std::vector<Trouble>& all_troubles();

}  // namespace pw::sim::recovery
