#include "sim/check/legality.hpp"

#include "peer/state.hpp"
#include "sim/world.hpp"

namespace pw::sim {

using event::SessionState;

void Legality::started(Instant, const Host& host) { hosts_[host.index()].clear(); }

void Legality::recorded(Instant, const Host& host, const event::Record& record) {
  const auto peer = event::peer_of(record.event);
  if (!peer) return;
  if (const auto wrong = judge(hosts_[host.index()], *peer, record.event); !wrong.empty())
    complain(host.name() + ": " + wrong);
}

std::string Legality::judge(Peers& peers, const PeerId& peer, const event::Event& event) {
  Ledger& ledger = peers[peer];
  if (const auto* e = std::get_if<event::StateChanged>(&event)) {
    if (e->from != ledger.state) return "a transition does not start where the last one ended";
    if (!peer::legal(e->from, e->to))
      return "illegal transition " + std::string{pw::name(e->from)} + " → " + std::string{pw::name(e->to)};
    ledger.state = e->to;
  } else if (std::holds_alternative<event::DialStarted>(event)) {
    if (ledger.dials_open++ != 0) return "two dials at once to one peer";
  } else if (std::holds_alternative<event::DialEnded>(event)) {
    if (ledger.dials_open-- == 0) return "a dial ended that never started";
  } else if (std::holds_alternative<event::SessionEstablished>(event)) {
    if (ledger.session_open) return "a session was established twice";
    ledger.session_open = true;
  } else if (std::holds_alternative<event::SessionEnded>(event)) {
    if (!ledger.session_open) return "a session ended that never was";
    ledger.session_open = false;
  } else if (std::holds_alternative<event::PeerRemoved>(event)) {
    peers.erase(peer);
  }
  return {};
}

void Legality::look(const World& world) {
  for (std::size_t i = 0; i < world.size(); ++i) {
    const Host& host = world.host(i);
    if (!host.running()) continue;
    Peers& peers = hosts_[i];
    for (const auto& p : host.snapshot().peers) {
      const Ledger& ledger = peers[p.id];
      if (p.state != ledger.state) complain(host.name() + ": the snapshot's state is not the events'");
      if ((p.state == SessionState::connected) != ledger.session_open)
        complain(host.name() + ": a session is open without its state, or the other way round");
      if (p.state == SessionState::connected && ledger.dials_open != 0)
        complain(host.name() + ": a dial goes on although the session is up");
    }
  }
}

}  // namespace pw::sim
