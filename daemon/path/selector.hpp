// Selector: which of its proved paths this end sends on. No negotiation: the peer chooses for itself.
//
//   - Direct before relayed over QUIC before relayed over WebSocket; a path that large packets pass before one that they
//     don't; among equals by smoothed RTT, IPv4 and IPv6 alike.
//   - A path in doubt (an unanswered probe, or an unanswered check at full size) is not left at once: packets go out on
//     it and on the best standby, for kDoubt at most; then, or when it is dead, on the standby alone.
//   - A better tier is taken as soon as it is proved at full size; after it failed in use not before it has been steady
//     for a while, longer each time. A better RTT has to be better by a margin, for kTrial, with samples of both.
// Order of calls: update() whenever anything about a path changed, and at next_timeout().
#pragma once

#include <optional>
#include <span>

#include "path/event.hpp"
#include "path/path.hpp"

namespace pw::path {

class Selector {
 public:
  /// Two paths at once cost twice the bytes; a path that answers nothing for so long, whatever its time-out, is lost.
  static constexpr Duration kDoubt = 3s;
  /// RTT of a path wanders by this much without a reason to move.
  static constexpr Duration kMargin = 5ms;
  static constexpr int kMarginShare = 10;  // a tenth of the RTT of the path in use, if that is more
  static constexpr Duration kTrial = 5s;
  static constexpr std::uint64_t kTrialSamples = 4;  // of five that a trial has at the usual interval one may be lost
  /// How long a path that failed in use has to be steady, doubled with each failure, before it is returned to.
  static constexpr Duration kReturn = 5s;
  static constexpr unsigned kMaxDoublings = 4;  // 80 s
  static constexpr Duration kForgive = 10min;   // without a failure in use: it begins anew

  /// What it has to know of a path.
  struct View {
    PathId id{};
    event::PathKind kind = event::PathKind::none;
    event::PathHealth health = event::PathHealth::proved;
    Size size = Size::unknown;
    bool doubtful = false;
    std::optional<Duration> rtt;
    std::uint64_t samples = 0;
    Instant steady_since{};
    unsigned lost_in_use = 0;
  };
  struct Change {
    std::optional<PathId> from, to;
    event::PathChangeReason reason;
  };

  /// `if_gone`: the reason, if the path in use is not among `paths` any more. What changed about the first path, if
  /// that did.
  std::optional<Change> update(Instant now, std::span<const View> paths,
                               event::PathChangeReason if_gone = event::PathChangeReason::path_lost);

  /// This node was late: a doubt gets its whole time again.
  void restart_wait(Instant now) {
    if (doubt_since_ != kNever) doubt_since_ = now;
  }

  std::optional<PathId> first() const { return first_; }
  std::optional<PathId> second() const { return second_; }
  /// On trial for its RTT: probe it as often as the path in use.
  std::optional<PathId> challenger() const { return challenger_; }
  /// When first() was chosen.
  Instant since() const { return since_; }
  Instant next_timeout() const { return next_; }

 private:
  std::optional<Change> change(Instant now, std::optional<PathId> to, event::PathChangeReason reason);
  std::optional<PathId> wins_trial(Instant now, const View& current, std::span<const View> paths);
  void doubt(Instant now, const View& current, std::span<const View> paths);

  std::optional<PathId> first_;
  std::optional<PathId> second_;
  std::optional<PathId> challenger_;
  Instant since_{};
  Instant doubt_since_ = kNever;
  Instant trial_since_{};
  std::uint64_t trial_samples_ = 0;  // of the challenger when it began
  Instant next_ = kNever;
};

}  // namespace pw::path
