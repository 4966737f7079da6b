// Breakers: circuit breakers go from state to state as they may, and dials go by them: none while one is open, exactly one
// while it is half open, and a session has it closed. A breaker opens by failures in a row, and only by the peer's own: the
// dial that opened it did not go on while the machine that dialled was unplugged, or did not run for seconds.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "sim/checker.hpp"

namespace pw::sim {

class Breakers : public Checker {
 public:
  /// A pause that no daemon may overlook, whatever its timers were when it began.
  static constexpr Duration kLongPause = 5s;

  explicit Breakers(const World& world) : Checker{"breakers"}, world_{world} {}
  void started(Instant, const Host& host) override;
  void died(Instant, const Host& host) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void look(const World& world) override;

 private:
  struct Ledger {
    event::BreakerState state = event::BreakerState::closed;
    bool may_probe = false;  // half open, and its dial has not begun
    std::optional<Instant> dial_since;
  };
  std::string changed(Instant at, const Host& host, const event::BreakerChanged& e, Ledger& peer) const;

  const World& world_;
  std::map<std::size_t, std::map<PeerId, Ledger>> daemons_;  // by host
};

}  // namespace pw::sim
