// Workers: seeds spread over processes, so that one whose seed brings it down takes nothing else with it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace pw::sim {

struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t count = 1;
};

/// Runs `job` for each seed in `workers` processes; what it returns is given to `done`, in this process, in whatever order
/// they end. A process that dies has failed its seed, and another takes its place. `done` returns false to break off.
void run_in_workers(const Seeds& seeds, unsigned workers, const std::function<std::string(std::uint64_t seed)>& job,
                    const std::function<bool(std::uint64_t seed, const std::string& wrong)>& done);

}  // namespace pw::sim
