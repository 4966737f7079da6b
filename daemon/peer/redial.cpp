#include "peer/redial.hpp"

#include <algorithm>

namespace pw::peer {

using event::BreakerState;

Redial::Redial(Context& context, const PeerId& peer)
    : context_{context},
      peer_{peer},
      backoff_{context.options.retry_initial, context.options.retry_max},
      breaker_{{context.options.breaker_failures, context.options.breaker_timeout}} {}

void Redial::at_once(Instant now) {
  breaker_.expire(now);
  next_ = now;
}

void Redial::later(Instant now) {
  next_ = std::max(now + backoff_.next(context_.rng), breaker_.until());
}

void Redial::hasten(Instant from) {
  if (!next_) return;
  const Instant soon = from + context_.rng.up_to(context_.options.retry_initial);
  next_ = earlier(*next_, std::max(soon, breaker_.until()));
}

void Redial::begin(Instant now) {
  next_.reset();
  const BreakerState before = breaker_.state();
  breaker_.begin(now);
  tell(now, before);
}

void Redial::failed(Instant now, bool by_peer) {
  const BreakerState before = breaker_.state();
  if (by_peer)
    breaker_.fail(now);
  else
    breaker_.leave(now);
  tell(now, before);
}

void Redial::cancelled(Instant now) { failed(now, false); }

void Redial::reached(Instant now) {
  next_.reset();
  const BreakerState before = breaker_.state();
  breaker_.reach();
  tell(now, before);
}

void Redial::tell(Instant now, BreakerState before) {
  const BreakerState after = breaker_.state();
  if (after == before) return;
  const Duration opens_for = after == BreakerState::open ? breaker_.until() - now : Duration{};
  context_.out.emit(now, event::BreakerChanged{peer_, before, after, breaker_.failures(), opens_for});
}

event::BreakerSnapshot Redial::breaker() const {
  event::BreakerSnapshot s{breaker_.state(), breaker_.failures(), {}};
  if (s.state == BreakerState::open) s.next_attempt = breaker_.until();
  return s;
}

}  // namespace pw::peer
