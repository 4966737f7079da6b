#include "observe/process_stats.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

namespace pw::observe {
namespace {

Duration of(const timeval& t) { return std::chrono::seconds{t.tv_sec} + std::chrono::microseconds{t.tv_usec}; }

std::optional<std::uint64_t> soft_limit(decltype(RLIMIT_NOFILE) which) {
  rlimit limit{};
  if (getrlimit(which, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

void read_memory(ProcessStats& out) {
  std::ifstream file{"/proc/self/statm"};
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  const long page = sysconf(_SC_PAGESIZE);
  if (page <= 0 || !(file >> total >> resident)) return;
  out.virtual_bytes = total * static_cast<std::uint64_t>(page);
  out.resident_bytes = resident * static_cast<std::uint64_t>(page);
}

std::optional<std::uint64_t> count_fds() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder{opendir("/proc/self/fd"), closedir};
  if (!folder) return std::nullopt;
  std::uint64_t entries = 0;
  while (readdir(folder.get()) != nullptr) ++entries;
  constexpr std::uint64_t kNotCounted = 3;  // ".", ".." and the descriptor of the folder itself
  return entries > kNotCounted ? entries - kNotCounted : 0;
}

/// proc(5): btime of /proc/stat, and field 22 of /proc/self/stat in clock ticks after it.
std::optional<Duration> read_start_time() {
  std::ifstream self{"/proc/self/stat"};
  std::string line;
  std::getline(self, line);
  const auto name_end = line.rfind(')');  // the name of the program may hold anything
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields{line.substr(name_end + 1)};
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  std::int64_t ticks = 0;
  const long per_second = sysconf(_SC_CLK_TCK);
  if (!(fields >> ticks) || per_second <= 0) return std::nullopt;

  std::ifstream machine{"/proc/stat"};
  std::string key;
  while (std::getline(machine, line)) {
    std::istringstream words{line};
    std::int64_t boot = 0;
    if (words >> key >> boot && key == "btime")
      return std::chrono::seconds{boot} + from_seconds(static_cast<double>(ticks) / static_cast<double>(per_second));
  }
  return std::nullopt;
}

}  // namespace

ProcessStats read_process_stats() {
  ProcessStats out;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) out.cpu = of(usage.ru_utime) + of(usage.ru_stime);
  read_memory(out);
  out.virtual_max_bytes = soft_limit(RLIMIT_AS);
  out.open_fds = count_fds();
  out.max_fds = soft_limit(RLIMIT_NOFILE);
  static const std::optional<Duration> start_time = read_start_time();
  out.start_time = start_time;
  return out;
}

}  // namespace pw::observe
