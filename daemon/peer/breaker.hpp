// Breaker: the circuit breaker of one peer: who fails to answer again and again is left alone for a while, and then asked
// once. It counts what it is told, and only the peer's own failures are (Fitness, Redial).
//
//   closed    ── failures in a row reach the limit ──► open
//   open      ── its time-out is over, a dial begins ─► half_open
//   half_open ── that dial fails, or says nothing ───► open
//   open, half_open ── the peer is reached ─────────► closed
//
// The time-out doubles with every probe that fails, up to kLongestTimeout, and begins anew with any sign of the peer.
//
// Order of calls: begin() where allows(); then exactly one of reach(), fail() and leave(). reach() may come at any time: the
// peer has connections of its own.
#pragma once

#include "base/time.hpp"
#include "event/vocabulary.hpp"

namespace pw::peer {

/// The transitions that exist.
constexpr bool legal(event::BreakerState from, event::BreakerState to) {
  using S = event::BreakerState;
  switch (from) {
    case S::closed:
      return to == S::open;
    case S::open:
      return to == S::half_open || to == S::closed;
    case S::half_open:
      return to == S::open || to == S::closed;
  }
  return false;
}

class Breaker {
 public:
  struct Options {
    unsigned failures = 5;   // in a row, that open it; at least one
    Duration timeout = 60s;  // before the first probe; at most kLongestTimeout
  };
  /// Of a peer that stays dead. Longer would save nothing to speak of: one dial in ten minutes is what is left.
  static constexpr Duration kLongestTimeout = std::chrono::minutes{10};

  explicit Breaker(Options options) : options_{options} {}

  // ---- commands
  /// A dial begins.
  void begin(Instant now);
  /// The peer is reached, whoever dialled.
  void reach();
  /// The dial failed, and by the peer's own fault.
  void fail(Instant now);
  /// The dial ended and says nothing about the peer: it was not needed any more, or this node is to blame.
  void leave(Instant now);
  /// A sign of the peer, which is no session yet: it is probed as if it had failed for the first time.
  void notice();
  /// What was judged is of no worth any more: the network or the peer's addresses are others, or somebody knows better.
  void expire(Instant now);

  // ---- getters
  event::BreakerState state() const { return state_; }
  /// Dials in a row that failed by the peer's own fault.
  unsigned failures() const { return failures_; }
  bool allows(Instant now) const;
  /// While it is open: when one dial is let through.
  Instant until() const { return until_; }

 private:
  void open(Instant now);
  Duration timeout() const;

  Options options_;
  event::BreakerState state_ = event::BreakerState::closed;
  unsigned failures_ = 0;
  unsigned failed_probes_ = 0;  // since it opened, or since the last sign of the peer
  Instant opened_{};
  Instant until_ = Instant::min();
};

}  // namespace pw::peer
