#include "probe/liveness.hpp"

#include <algorithm>

namespace pw::probe {

using event::PathHealth;

Duration Liveness::timeout_of(std::optional<Duration> smoothed_rtt, Duration variation) {
  if (!smoothed_rtt) return kFirstTimeout;
  return std::clamp(*smoothed_rtt + 4 * variation + kGranularity, kMinTimeout, kMaxTimeout);
}

void Liveness::sent(Instant now, Duration timeout) {
  wait_ = timeout;
  if (judge_at_ == kNever) judge_at_ = now + timeout;
  next_probe_ = now + phase_.value_or(interval_);
  phase_.reset();
}

bool Liveness::proof(Instant now) {
  last_proof_ = now;
  judge_at_ = kNever;
  unanswered_ = 0;
  const bool revived = health_ != PathHealth::proved;
  health_ = PathHealth::proved;
  if (revived) next_probe_ = std::min(next_probe_, now + interval_);
  return revived;
}

bool Liveness::expire(Instant now) {
  if (now < judge_at_) return false;
  judge_at_ = kNever;
  switch (health_) {
    case PathHealth::proved:
      health_ = PathHealth::suspect;
      unanswered_ = 0;
      next_probe_ = now;
      return true;
    case PathHealth::suspect:
      if (++unanswered_ >= kDeadAfter) {
        health_ = PathHealth::dead;
        next_probe_ = now + interval_;
        return true;
      }
      next_probe_ = now;
      return false;
    case PathHealth::dead:
      return false;
  }
  return false;
}

void Liveness::restart_wait(Instant now) {
  if (judge_at_ != kNever) judge_at_ = now + wait_;
}

}  // namespace pw::probe
