// Redial: when a peer is dialled next, and whether at all: back-off after every failure, and beyond that the peer's circuit
// breaker, whose changes it tells. It knows of dials only what its session tells it.
#pragma once

#include <optional>

#include "base/backoff.hpp"
#include "event/snapshot.hpp"
#include "peer/breaker.hpp"
#include "peer/context.hpp"

namespace pw::peer {

class Redial {
 public:
  Redial(Context& context, const PeerId& peer);

  // ---- when
  /// Now, whatever was thought of the peer: it is new, or its addresses are, or an operator wants it.
  void at_once(Instant now);
  /// After a dial or a session that ended: back-off, and as long as the breaker is open.
  void later(Instant now);
  /// It was due, and has to wait for something else.
  void postpone(Instant until) { next_ = until; }
  void stop() { next_.reset(); }
  /// Not at all unless it was to be anyway; soon after `from`, if the peer may be there by then.
  void hasten(Instant from);

  // ---- what happened
  /// A dial begins. Only when it is due.
  void begin(Instant now);
  /// It failed. `by_peer`: and the peer is to blame.
  void failed(Instant now, bool by_peer);
  /// It was not needed any more.
  void cancelled(Instant now);
  /// A session is up.
  void reached(Instant now);
  /// A session lasted, or an operator knows better: the back-off begins anew.
  void calm() { backoff_.reset(); }
  /// The peer shows itself, by a handshake or at a bootstrap.
  void noticed() { breaker_.notice(); }
  /// The network that it was judged in is another now.
  void expire(Instant now) { breaker_.expire(now); }

  // ---- getters
  std::optional<Instant> at() const { return next_; }
  bool due(Instant now) const { return next_ && *next_ <= now; }
  /// Dials in a row that failed.
  unsigned failures() const { return backoff_.failures(); }
  event::BreakerSnapshot breaker() const;

 private:
  void tell(Instant now, event::BreakerState before);

  Context& context_;
  PeerId peer_;
  Backoff backoff_;
  Breaker breaker_;
  std::optional<Instant> next_;  // never before the breaker allows it
};

}  // namespace pw::peer
