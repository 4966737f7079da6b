#include "peer/breaker.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::peer {

using event::BreakerState;

bool Breaker::allows(Instant now) const {
  switch (state_) {
    case BreakerState::closed:
      return true;
    case BreakerState::open:
      return until_ <= now;
    case BreakerState::half_open:
      return false;
  }
  return false;
}

void Breaker::begin(Instant now) {
  PW_CHECK(allows(now));
  if (state_ == BreakerState::open) state_ = BreakerState::half_open;
}

void Breaker::reach() {
  state_ = BreakerState::closed;
  failures_ = failed_probes_ = 0;
  until_ = Instant::min();
}

void Breaker::fail(Instant now) {
  PW_CHECK(state_ != BreakerState::open);
  ++failures_;
  if (state_ == BreakerState::half_open) {
    ++failed_probes_;
    open(now);
  } else if (failures_ >= options_.failures) {
    open(now);
  }
}

void Breaker::leave(Instant now) {
  if (state_ == BreakerState::half_open) open(now);
}

void Breaker::notice() {
  failed_probes_ = 0;
  if (state_ == BreakerState::open) until_ = std::min(until_, opened_ + timeout());
}

void Breaker::expire(Instant now) {
  failed_probes_ = 0;
  if (state_ == BreakerState::open) until_ = std::min(until_, now);
}

void Breaker::open(Instant now) {
  state_ = BreakerState::open;
  opened_ = now;
  until_ = now + timeout();
}

Duration Breaker::timeout() const {
  Duration d = options_.timeout;
  for (unsigned n = failed_probes_; n > 0 && d < kLongestTimeout; --n) d += d;
  return std::min(d, kLongestTimeout);
}

}  // namespace pw::peer
