// The machine's clocks and entropy. Nothing else in the daemon's network thread reads them.
#pragma once

#include <optional>

#include "base/rng.hpp"
#include "base/time.hpp"

namespace pw::io {

struct Clock {
  static Instant now();               // CLOCK_MONOTONIC: stands still while the machine sleeps
  static WallTime wall();             // CLOCK_REALTIME
  static Duration since_boot();       // CLOCK_BOOTTIME: runs on while the machine sleeps
  static Duration thread_cpu_time();  // of the calling thread
};

/// A kernel receive time is wall time, and wall time may be set while a packet waits: an answer outside
/// [now − kMaxReceiveAge, now] would be a lie about RTT, so it is clamped.
inline constexpr Duration kMaxReceiveAge = 1s;
Instant received_at(WallTime stamped, WallTime wall_now, Instant now);

/// 32 bytes from getrandom(2). It can't fail on a running Linux; if it does, the process ends.
Rng::Seed entropy();

/// Sees that this machine slept, or that this process got no CPU for long: then silence was our own, not the peers'.
///
/// observe() is called at every turn of the loop, and mark() at least every `tick`. A gap between two turns that is
/// longer than the tick by kStopped, of which less than half was spent on CPU, is a stop (SIGSTOP, a frozen cgroup, a
/// paused virtual machine, starvation).
class JumpDetector {
 public:
  static constexpr Duration kSlept = 100ms;  // boot time and monotonic time drift apart by less than this when awake
  static constexpr Duration kStopped = 1s;   // an overloaded but running machine stays below
  explicit JumpDetector(Duration tick) : tick_{tick} {}

  /// For how long the world went on without us, if it did. `cpu` is called only when a gap has to be explained.
  template <class CpuTime>
  std::optional<Duration> observe(Instant now, Duration since_boot, CpuTime cpu) {
    const Duration asleep = since_boot - now.time_since_epoch();
    Duration gone{};
    if (last_ && asleep - asleep_ > kSlept) gone += asleep - asleep_;
    if (last_ && now - *last_ > tick_ + kStopped && cpu() - cpu_ < (now - *last_) / 2) gone += now - *last_;
    last_ = now;
    asleep_ = asleep;
    if (gone == Duration{}) return std::nullopt;
    return gone;
  }
  void mark(Duration cpu) { cpu_ = cpu; }

 private:
  Duration tick_;
  std::optional<Instant> last_;
  Duration asleep_{};
  Duration cpu_{};
};

}  // namespace pw::io
