// DeadlinesKept: no state outlives its deadline. Only time counts in which the machine could run: a daemon that was
// frozen or asleep for a minute is not late for it.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>

#include "probe/rtt_estimator.hpp"
#include "sim/check/ground.hpp"

namespace pw::sim {

class DeadlinesKept : public Checker {
 public:
  /// Scheduling: turns are shared among close deadlines, a deadline that did not move gets another turn later.
  static constexpr Duration kSlack = 500ms;
  static constexpr Duration kStopSlack = 50ms;
  /// Of two that dial each other, one holds the other's connection for a second at most.
  static constexpr Duration kTieSettled = 3s;

  DeadlinesKept(const World& world, const Ground& ground)
      : Checker{"deadlines"}, world_{world}, ground_{ground} {}
  void started(Instant at, const Host& host) override;
  void died(Instant at, const Host& host) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void commanded(Instant at, const Host& host, event::Ticket ticket, const event::Command& command) override;
  void answered(Instant at, const Host& host, event::Ticket ticket, const event::Answer& answer) override;
  void look(const World& world) override;

 private:
  /// An instant, and how long the machine had been unable to run until then.
  struct Mark {
    Instant at{};
    Duration paused{};
  };
  struct Peer {
    event::SessionState state = event::SessionState::disconnected;
    Mark since{};
    Mark progress{};  // of connecting: the last thing that happened to dial or connection
    std::optional<Mark> dial;  // or of its latest handshake, once a stranger answered
    Duration dial_limit{};
    bool names_up = true;       // when it began
    std::size_t strangers = 0;  // in this dial
    std::optional<Mark> told;   // when the next dial will be, by the failure of the last
    std::map<PathAddress, Mark> suspect;
    std::optional<Mark> dead;               // all of them
    std::map<PathAddress, probe::RttEstimator> rtt;  // as the daemon must have it, from its own samples
  };
  struct Command {
    Mark since{};
    Duration limit{};
  };
  struct Daemon {
    std::unordered_map<PeerId, Peer> peers;
    std::map<event::Ticket, Command> commands;
    std::optional<Mark> stopping;
    Mark late{};  // when it last said so: what waits gets its whole time again
  };
  Mark mark(Instant at, const Host& host) const;
  Duration awake_since(const Mark& mark, Instant at, const Host& host) const;
  void limit(Instant at, const Host& host, const Mark& since, Duration most, const std::string& what);
  /// What is open for too long.
  void check(Instant at, const Host& host, const Daemon& daemon, const PeerId& id, const Peer& peer);
  void check_tie(Instant at, const Host& host, const PeerId& id, const Peer& peer);
  bool shook_hands(Instant from, Instant to, const Host& host, const Host& other) const;
  void check_health(Instant at, const Host& host, const Daemon& daemon, const PeerId& id, const Peer& peer);
  void check_suspect(Instant at, const Host& host, const Daemon& daemon, const PeerId& id, const Peer& peer,
                     const PathAddress& path);
  void check_snapshot(const World& world, const Host& host, const Daemon& daemon);
  Duration handshake_limit(const Host& host) const;
  Duration dial_limit(const Host& host) const;

  const World& world_;
  const Ground& ground_;
  std::map<std::size_t, Daemon> daemons_;
};

}  // namespace pw::sim
