#include "sim/checks.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <map>

#include "peer/state.hpp"

namespace pw::sim {
namespace {

using event::SessionState;

struct Ledger {
  SessionState state = SessionState::disconnected;
  unsigned dials_open = 0;
  bool session_open = false;
};

std::string judge(const Host& host, std::map<PeerId, Ledger>& peers) {
  for (const auto& record : host.events) {
    if (std::holds_alternative<event::NodeStarted>(record.event)) peers.clear();
    const auto peer = event::peer_of(record.event);
    if (!peer) continue;
    Ledger& ledger = peers[*peer];
    if (const auto* e = std::get_if<event::StateChanged>(&record.event)) {
      if (e->from != ledger.state) return "a transition does not start where the last one ended";
      if (!peer::legal(e->from, e->to))
        return "illegal transition " + std::string{name(e->from)} + " → " + std::string{name(e->to)};
      ledger.state = e->to;
    } else if (std::holds_alternative<event::DialStarted>(record.event)) {
      if (ledger.dials_open++ != 0) return "two dials at once to one peer";
    } else if (std::holds_alternative<event::DialEnded>(record.event)) {
      if (ledger.dials_open-- == 0) return "a dial ended that never started";
    } else if (std::holds_alternative<event::SessionEstablished>(record.event)) {
      if (ledger.session_open) return "a session was established twice";
      ledger.session_open = true;
    } else if (std::holds_alternative<event::SessionEnded>(record.event)) {
      if (!ledger.session_open) return "a session ended that never was";
      ledger.session_open = false;
    } else if (std::holds_alternative<event::PeerRemoved>(record.event)) {
      peers.erase(*peer);
    }
  }
  return {};
}

}  // namespace

std::string broken_rule(World& world) {
  for (std::size_t i = 0; i < world.size(); ++i) {
    Host& host = world.host(i);
    std::map<PeerId, Ledger> peers;
    if (auto wrong = judge(host, peers); !wrong.empty()) return host.name() + ": " + wrong;
    if (!host.running()) continue;
    for (const auto& p : host.node().snapshot(world.now()).peers) {
      const Ledger& ledger = peers[p.id];
      if (p.state != ledger.state) return host.name() + ": the snapshot's state is not the events'";
      if ((p.state == SessionState::connected) != ledger.session_open)
        return host.name() + ": a session is open without its state, or the other way round";
      if (p.state == SessionState::connected && ledger.dials_open != 0)
        return host.name() + ": a dial goes on although the session is up";
    }
  }
  return {};
}

std::string trace(const Host& host) {
  std::string out;
  for (const auto& r : host.events) {
    out += std::to_string(r.at.time_since_epoch().count());
    out += ' ';
    out += event::name_of(r.event);
    if (const auto peer = event::peer_of(r.event)) out += ' ' + peer->to_short();
    if (const auto* s = std::get_if<event::StateChanged>(&r.event)) out += ' ' + std::string{name(s->to)};
    if (const auto* m = std::get_if<event::ProbeMeasured>(&r.event)) out += ' ' + std::to_string(m->rtt.count());
    if (const auto* a = std::get_if<event::ProbesAccounted>(&r.event))
      out += ' ' + std::to_string(a->expected) + '/' + std::to_string(a->lost);
    out += '\n';
  }
  return out;
}

unsigned seeds() {
  const char* text = std::getenv("PEERWATCH_SIM_SEEDS");
  const int n = text ? std::atoi(text) : 0;
  return n > 0 ? static_cast<unsigned>(n) : 1000;
}

void for_every_seed(const std::function<std::string(std::uint64_t)>& scenario) {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    const std::string wrong = scenario(seed);
    if (!wrong.empty()) FAIL("seed " << seed << ": " << wrong);
  }
}

}  // namespace pw::sim
