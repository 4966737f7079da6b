#include "sim/check/breakers.hpp"

#include <algorithm>
#include <utility>

#include "peer/breaker.hpp"
#include "sim/world.hpp"

namespace pw::sim {

using event::BreakerState;

namespace {

/// Of a fault of the machine itself, whether it is enough to spoil a dial that went on from `from` to `to`.
bool spoils(const Fault& fault, Instant from, Instant to) {
  const Instant end = std::min(fault.end.value_or(to), to);
  const Instant start = std::max(fault.start, from);
  if (start >= end) return false;
  switch (fault.kind) {
    case FaultKind::interface_down:
      return true;
    case FaultKind::stopped:
    case FaultKind::suspended:
    case FaultKind::frozen:
      return end - start >= Breakers::kLongPause;
    default:
      return false;
  }
}

}  // namespace

void Breakers::started(Instant, const Host& host) { daemons_[host.index()].clear(); }
void Breakers::died(Instant, const Host& host) { daemons_.erase(host.index()); }

void Breakers::recorded(Instant at, const Host& host, const event::Record& record) {
  const auto id = event::peer_of(record.event);
  if (!id) return;
  auto& peers = daemons_[host.index()];
  const auto wrong = [&](const std::string& what) {
    if (!what.empty()) complain(host.name() + at_text(at) + what + " (of " + id->to_short() + ")");
  };
  if (std::holds_alternative<event::DialStarted>(record.event)) {
    Ledger& peer = peers[*id];
    peer.dial_since = at;
    if (peer.state == BreakerState::open) wrong("a dial while the breaker is open");
    if (peer.state == BreakerState::half_open && !std::exchange(peer.may_probe, false))
      wrong("a second dial while the breaker is half open");
  } else if (std::holds_alternative<event::DialEnded>(record.event)) {
    Ledger& peer = peers[*id];
    peer.dial_since.reset();
    if (peer.state == BreakerState::half_open) wrong("the probe ended, but the breaker waits for it");
  } else if (std::holds_alternative<event::SessionEstablished>(record.event)) {
    if (peers[*id].state != BreakerState::closed) wrong("a session is up, but the breaker is not closed");
  } else if (const auto* e = std::get_if<event::BreakerChanged>(&record.event)) {
    wrong(changed(at, host, *e, peers[*id]));
  } else if (std::holds_alternative<event::PeerRemoved>(record.event)) {
    peers.erase(*id);
  }
}

std::string Breakers::changed(Instant at, const Host& host, const event::BreakerChanged& e, Ledger& peer) const {
  if (e.from != peer.state) return "a breaker's change does not start where the last one ended";
  if (!peer::legal(e.from, e.to))
    return "a breaker went from " + std::string{pw::name(e.from)} + " to " + std::string{pw::name(e.to)};
  peer.state = e.to;
  peer.may_probe = e.to == BreakerState::half_open;
  if (e.to != BreakerState::open) return {};
  if (e.opens_for <= Duration{} || e.opens_for > peer::Breaker::kLongestTimeout) return "a breaker opened for no time, or too long";
  if (e.from != BreakerState::closed) return {};
  if (e.failures != host.options.peer.breaker_failures) return "a breaker opened before its failures, or after them";
  if (!peer.dial_since) return "a breaker opened without a dial";
  for (const Fault& fault : world_.faults())
    if (fault.host == host.index() && spoils(fault, *peer.dial_since, at))
      return "a breaker opened by what was this node's own fault, " + fault.to_string();
  return {};
}

void Breakers::look(const World& world) {
  for (auto& [index, peers] : daemons_) {
    const Host& host = world.host(index);
    if (!host.running()) continue;
    for (const event::PeerSnapshot& p : host.snapshot().peers) {
      const Ledger& peer = peers[p.id];
      const std::string of = " (of " + p.id.to_short() + ")";
      if (p.breaker.state != peer.state) complain(host.name() + ": the snapshot's breaker is not the events'" + of);
      if (p.breaker.next_attempt.has_value() != (p.breaker.state == BreakerState::open))
        complain(host.name() + ": when a dial is let through is told of a breaker that is not open, or not told" + of);
      if (peer.state == BreakerState::half_open && !peer.dial_since)
        complain(host.name() + ": a breaker is half open without a dial" + of);
    }
  }
}

}  // namespace pw::sim
