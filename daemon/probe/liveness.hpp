// Liveness: is a path alive? Judged by probes sent over it and proofs (receipts) that came back over it, by nothing
// else.
//
//   proved ── a probe stays unanswered for one PTO ──► suspect ── 8 more, at PTO pace ──► dead
//     ▲───────────────────────── any proof ─────────────────────────┘──────────────────────┘
//
// At 20 % loss each way a probe fails with 36 %; eight in a row by chance 0.03 %. A dead path is probed at the normal
// interval, so that it is found again when it comes back.
// Order of calls: at next_probe() send a probe and call sent(); call proof() for each receipt; expire() when due.
#pragma once

#include <optional>

#include "base/time.hpp"
#include "event/vocabulary.hpp"

namespace pw::probe {

class Liveness {
 public:
  static constexpr unsigned kDeadAfter = 8;
  /// The wait for an answer: RFC 9002 section 6.2.1's PTO with the other side's scheduling allowed for.
  static constexpr Duration kGranularity = 50ms;
  static constexpr Duration kMinTimeout = 100ms;
  static constexpr Duration kMaxTimeout = 3s;
  static constexpr Duration kFirstTimeout = 1s;  // no RTT known yet

  /// `first`: when the first probe goes out; the second follows `phase` later, which spreads the probes of many paths.
  Liveness(Duration interval, Instant first, Duration phase) : interval_{interval}, phase_{phase}, next_probe_{first} {}

  static Duration timeout_of(std::optional<Duration> smoothed_rtt, Duration variation);

  void set_interval(Duration interval) { interval_ = interval; }
  /// A probe went out.
  void sent(Instant now, Duration timeout);
  /// A probe was answered. True if the path was not proved before.
  bool proof(Instant now);
  /// Judges an unanswered probe. True if the health changed.
  bool expire(Instant now);
  /// This node was late: what is out gets its whole time-out again, so that our lateness never blames the path.
  void restart_wait(Instant now);
  /// Something changed (network, clock): probe now.
  void probe_now(Instant now) { next_probe_ = earlier(next_probe_, now); }

  event::PathHealth health() const { return health_; }
  Instant next_probe() const { return next_probe_; }
  Instant next_timeout() const { return earlier(next_probe_, judge_at_); }
  /// Since the last proof; nothing before the first.
  std::optional<Instant> last_proof() const { return last_proof_; }

 private:
  Duration interval_;
  std::optional<Duration> phase_;
  Instant next_probe_;
  Instant judge_at_ = kNever;  // the oldest unjudged probe has had its time then
  Duration wait_ = kFirstTimeout;
  unsigned unanswered_ = 0;
  event::PathHealth health_ = event::PathHealth::proved;
  std::optional<Instant> last_proof_;
};

}  // namespace pw::probe
