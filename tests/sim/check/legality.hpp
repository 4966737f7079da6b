// Legality: the events of a daemon tell a story without holes: every transition is legal and starts where the last one
// ended, a dial that started ends once, sessions open and close in turn, and the snapshot agrees.
#pragma once

#include <map>
#include <string>

#include "sim/checker.hpp"

namespace pw::sim {

class Legality : public Checker {
 public:
  Legality() : Checker{"legality"} {}
  void started(Instant, const Host& host) override;
  void recorded(Instant, const Host& host, const event::Record& record) override;
  void look(const World& world) override;

 private:
  struct Ledger {
    event::SessionState state = event::SessionState::disconnected;
    unsigned dials_open = 0;
    bool session_open = false;
  };
  using Peers = std::map<PeerId, Ledger>;
  /// What is wrong with one more event, or nothing.
  static std::string judge(Peers& peers, const PeerId& peer, const event::Event& event);

  std::map<std::size_t, Peers> hosts_;  // by index, of the instance that runs
};

}  // namespace pw::sim
