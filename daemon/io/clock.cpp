#include "io/clock.hpp"

#include <sys/random.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"

namespace pw::io {
namespace {

Duration read(clockid_t id) {
  timespec t{};
  PW_CHECK(clock_gettime(id, &t) == 0);
  return std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec};
}

}  // namespace

Instant Clock::now() { return Instant{read(CLOCK_MONOTONIC)}; }
WallTime Clock::wall() { return WallTime{read(CLOCK_REALTIME)}; }
Duration Clock::since_boot() { return read(CLOCK_BOOTTIME); }
Duration Clock::thread_cpu_time() { return read(CLOCK_THREAD_CPUTIME_ID); }

Instant received_at(WallTime stamped, WallTime wall_now, Instant now) {
  const Duration age = std::clamp(wall_now - stamped, Duration{}, kMaxReceiveAge);
  return now - age;
}

Rng::Seed entropy() {
  Rng::Seed seed{};
  std::size_t have = 0;
  while (have < seed.size()) {
    const ssize_t n = getrandom(seed.data() + have, seed.size() - have, 0);
    if (n < 0 && errno == EINTR) continue;
    PW_CHECK(n > 0);
    have += static_cast<std::size_t>(n);
  }
  return seed;
}

}  // namespace pw::io
