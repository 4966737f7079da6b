// Legality: the events of a daemon tell a story without holes. Transitions are legal and chained, what starts ends once,
// what belongs together is told together and in order, nothing is told of what is not there, and the snapshot agrees.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "sim/checker.hpp"

namespace pw::sim {

class Legality : public Checker {
 public:
  Legality() : Checker{"legality"} {}
  void started(Instant, const Host& host) override;
  void died(Instant, const Host& host) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void commanded(Instant, const Host& host, event::Ticket ticket, const event::Command& command) override;
  void answered(Instant, const Host& host, event::Ticket ticket, const event::Answer& answer) override;
  void look(const World& world) override;

 private:
  struct Ledger {
    bool known = false;
    event::SessionState state = event::SessionState::disconnected;
    std::optional<Instant> dial_since;
    std::optional<Instant> session_since;
    event::PathKind path = event::PathKind::none;  // that carries traffic
    PathAddress in_use;                          // and where it leads
    std::map<PathAddress, event::PathHealth> paths;
    std::optional<event::InstanceId> instance;
    std::uint64_t arrived_forward = 0;  // probes of the session, as told
    std::uint64_t expected_back = 0;
  };
  /// What has to be told next, before anything else.
  struct Owed {
    std::size_t event;  // index in event::Event
    PeerId peer;
    Instant at;
  };
  struct Daemon {
    bool started = false;
    bool stopping = false;
    Instant last{};
    std::optional<Owed> owed;
    std::optional<PeerId> succeeded;  // whose dial has just ended well
    std::optional<event::ErrorType> failed;  // of the ConnectionFailed just told
    std::set<PeerId> servers;  // that are up
    std::unordered_map<PeerId, Ledger> peers;
    std::map<event::Ticket, std::size_t> commands;  // without answer, and their kind
  };
  struct Judge;

  std::map<std::size_t, Daemon> daemons_;  // by host
};

}  // namespace pw::sim
