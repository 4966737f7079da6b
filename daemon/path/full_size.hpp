// FullSize: do packets of full size pass a path, both ways? Some networks lose only large ones, silently. Judged by
// checks whose request and answer are padded to kFullSize bytes of UDP payload, as QUIC's packets are.
//
//   unknown ── answered ──► full ── kTries unanswered in a row, small ones answered meanwhile ──► small
//      └─────────────────── the same ──────────────────────────────────────────────────────────────┘
// One that is answered makes it `full` again, whenever it comes.
// Order of calls: at next_check() send one and call sent(); passed() for an answer; expire() when due.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/time.hpp"
#include "event/vocabulary.hpp"
#include "path/options.hpp"

namespace pw::path {

using Size = event::PathSize;

class FullSize {
 public:
  /// Where each way loses 20 % of all packets, four in a row are lost by chance with 1.7 %.
  static constexpr unsigned kTries = 4;
  /// A large packet takes longer on a slow link: its answer may take so many times what a small one's may.
  static constexpr int kPatience = 2;
  /// How soon `small` is looked at again.
  static constexpr Duration kRecheck = 5s;

  FullSize(Instant now, Size verdict, Duration interval)
      : verdict_{verdict}, next_{verdict == Size::full ? now + interval : now} {
    if (verdict == Size::full) passed_at_ = now;
  }

  void sent(Instant now, Duration timeout) {
    if (unanswered_ == 0) doubted_since_ = now;
    judge_at_ = now + kPatience * timeout;
    next_ = kNever;
  }
  /// True if the verdict changed.
  bool passed(Instant now, Duration interval) {
    hinted_.reset();
    unanswered_ = 0;
    judge_at_ = kNever;
    next_ = now + interval;
    passed_at_ = now;
    return std::exchange(verdict_, Size::full) != Size::full;
  }
  /// Judges one that stayed unanswered. `passed`: when a check was last answered; since the doubt began that
  /// was a small one. True if the verdict
  /// changed.
  bool expire(Instant now, Instant passed) {
    if (now < judge_at_) return false;
    judge_at_ = kNever;
    next_ = now;
    if (++unanswered_ < kTries) return false;
    const bool small = passed > doubted_since_;
    lost_since_ = std::min(doubted_since_, hinted_.value_or(doubted_since_));
    hinted_.reset();
    unanswered_ = 0;
    next_ = now + kRecheck;
    return small && std::exchange(verdict_, Size::small) != Size::small;
  }
  /// The path may be another one than it was: what was known of it counts no more.
  void restart(Instant now) {
    verdict_ = Size::unknown;
    hinted_.reset();
    unanswered_ = 0;
    judge_at_ = kNever;
    next_ = now;
  }
  /// Something hints at their being lost since then: in doubt at once, until a check passes. It goes now, if none is under
  /// way.
  void doubt(Instant now, Instant since) {
    if (!hinted_) hinted_ = since;
    if (judge_at_ == kNever) next_ = earlier(next_, now);
  }
  /// This node was late: what is out gets its time again.
  void restart_wait(Instant now, Duration timeout) {
    if (judge_at_ != kNever) judge_at_ = now + kPatience * timeout;
  }

  Size verdict() const { return verdict_; }
  /// Large packets passed, and the last check's did not, or something hints at that.
  bool doubtful() const { return verdict_ == Size::full && (hinted_ || unanswered_ > 0); }
  /// Of `small`: since when large packets were lost, as far as is known: by the hint, or when the first of the checks that
  /// stayed unanswered was sent.
  Instant lost_since() const { return lost_since_; }
  std::optional<Instant> passed_at() const { return passed_at_; }
  Instant next_check() const { return next_; }
  Instant judge_at() const { return judge_at_; }

 private:
  Size verdict_;
  Instant next_;
  Instant judge_at_ = kNever;
  Instant doubted_since_{};
  Instant lost_since_{};
  std::optional<Instant> hinted_;
  unsigned unanswered_ = 0;
  std::optional<Instant> passed_at_;
};

}  // namespace pw::path
