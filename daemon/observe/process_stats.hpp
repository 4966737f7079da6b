// What the kernel knows of this process: the process_* families that Prometheus' own client libraries have.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace pw::observe {

/// A value that could not be read is empty.
struct ProcessStats {
  std::optional<Duration> cpu;
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> virtual_bytes;
  std::optional<std::uint64_t> virtual_max_bytes;  // empty where there is no limit
  std::optional<std::uint64_t> open_fds;
  std::optional<std::uint64_t> max_fds;
  std::optional<Duration> start_time;  // since 1970
};

/// Some 50 µs: a few system calls and files of /proc.
ProcessStats read_process_stats();

}  // namespace pw::observe
