#include "sim/workers/workers.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "base/check.hpp"

namespace pw::sim {
namespace {

// Of real time: a seed that takes longer hangs. A long run of hours of virtual time is one seed, by hand.
constexpr unsigned kHangs = 600;

struct Worker {
  pid_t pid = 0;
  int pipe = -1;
  std::uint64_t next = 0;  // its seed under way
  std::string said;        // of it so far
};

/// Its results: for each seed what is wrong and a zero byte.
[[noreturn]] void work(int pipe, std::uint64_t from, std::uint64_t end, std::uint64_t step,
                       const std::function<std::string(std::uint64_t)>& job) {
  for (std::uint64_t seed = from; seed < end; seed += step) {
    alarm(kHangs);
    const std::string wrong = job(seed);
    const char* at = wrong.c_str();
    for (std::size_t left = wrong.size() + 1; left > 0;) {
      const ssize_t n = write(pipe, at, left);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) _exit(1);
      at += n;
      left -= static_cast<std::size_t>(n);
    }
  }
  std::fflush(nullptr);
  _exit(0);
}

std::string epitaph(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "hangs";
  if (WIFSIGNALED(status)) return std::string{"died of "} + strsignal(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

void run_in_workers(const Seeds& seeds, unsigned workers, const std::function<std::string(std::uint64_t)>& job,
                    const std::function<bool(std::uint64_t, const std::string&)>& done) {
  const std::uint64_t end = seeds.first + seeds.count;
  std::vector<Worker> team;
  const auto start = [&](std::uint64_t from) {
    if (from >= end) return;
    int ends[2];
    PW_CHECK(pipe(ends) == 0);
    std::fflush(nullptr);
    const pid_t pid = fork();
    PW_CHECK(pid >= 0);
    if (pid == 0) {
      close(ends[0]);
      work(ends[1], from, end, workers, job);
    }
    close(ends[1]);
    team.push_back({pid, ends[0], from, {}});
  };
  const auto bury = [](const Worker& w) {
    close(w.pipe);
    int status = 0;
    while (waitpid(w.pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  };
  const auto stop = [&] {
    for (const Worker& w : team) {
      kill(w.pid, SIGKILL);
      bury(w);
    }
  };
  for (unsigned i = 0; i < workers; ++i) start(seeds.first + i);
  while (!team.empty()) {
    std::vector<pollfd> fds;
    for (const Worker& w : team) fds.push_back({w.pipe, POLLIN, 0});
    if (poll(fds.data(), fds.size(), -1) < 0) continue;
    for (std::size_t i = fds.size(); i-- > 0;) {
      if (fds[i].revents == 0) continue;
      char bytes[4096];
      const ssize_t n = read(team[i].pipe, bytes, sizeof bytes);
      if (n < 0) continue;
      for (ssize_t k = 0; k < n; ++k) {
        if (bytes[k] != '\0') {
          team[i].said += bytes[k];
          continue;
        }
        if (!done(team[i].next, team[i].said)) return stop();
        team[i].said.clear();
        team[i].next += workers;
      }
      if (n > 0) continue;
      const Worker gone = team[i];
      team.erase(team.begin() + static_cast<std::ptrdiff_t>(i));
      const int status = bury(gone);
      if (gone.next >= end) continue;
      if (!done(gone.next, epitaph(status))) return stop();
      start(gone.next + workers);
    }
  }
}

}  // namespace pw::sim
