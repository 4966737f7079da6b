// What machines and their daemons do: pauses, and what is told of peers and paths.
#include <algorithm>

#include "probe/starvation.hpp"
#include "sim/check/ground.hpp"
#include "sim/check/rename.hpp"
#include "sim/host.hpp"

namespace pw::sim {
namespace {

constexpr std::size_t kPausesKept = 64;  // beyond, only their sum: rules look back a minute at most
/// A bandwidth measurement lasts this long beyond its time both ways: requests, reports, what is still queued.
constexpr Duration kMeasurementTail = 20s;
/// Pings of more than that within their tail fill a congestion window: probes wait behind them.
constexpr Duration kPingTail = 3s;
constexpr std::uint64_t kPingsFelt = 4000;
constexpr std::uint64_t kPingOverhead = 100;
/// A packet that waits for so long is sure to be seen late.
constexpr Duration kStarves = probe::Starvation::kThreshold + 1ms;

}  // namespace

// ---- machines

Ground::Known& Ground::known(std::size_t machine) const {
  if (machine >= machines_.size()) machines_.resize(machine + 1);
  return machines_[machine];
}

void Ground::paused(Instant at, const net::Machine& machine, Instant until) {
  Known& here = known(machine.index());
  if (!here.pauses.empty() && here.pauses.back().to >= at) {
    here.pauses.back().to = until;  // thawed, or paused for longer
  } else if (until > at) {
    here.pauses.push_back({at, until});
    here.first_waiting = Instant::max();
  }
  // Its clock stands still while it sleeps: what waits does not grow old.
  if (machine.asleep()) here.first_waiting = Instant::min();
  if (here.pauses.size() > kPausesKept) {
    here.before += here.pauses.front().to - here.pauses.front().from;
    here.pauses.pop_front();
  }
}

Duration Ground::paused(std::size_t machine, Instant at) const {
  const Known& here = known(machine);
  return here.before + here.busy + paused(machine, Instant{}, at);
}

Duration Ground::paused(std::size_t machine, Instant from, Instant to) const {
  Duration sum{};
  for (const Pause& p : known(machine).pauses) sum += std::max(Duration{}, std::min(p.to, to) - std::max(p.from, from));
  return sum;
}

bool Ground::was_paused(std::size_t machine, Instant from, Instant to) const {
  const Known& here = known(machine);
  if (slow(machine)) return true;
  return std::ranges::any_of(here.pauses, [&](const Pause& p) { return p.from <= to && p.to >= from; });
}

Instant Ground::starved(std::size_t machine, Instant at) const {
  const Known& here = known(machine);
  if (here.pauses.empty() || here.pauses.back().to > at) return Instant::min();
  const Instant first = here.first_waiting;
  // What waited for a daemon that is gone is gone with it.
  const bool late = first != Instant::min() && first > here.changed && first < here.pauses.back().to - kStarves;
  return late ? here.pauses.back().to : Instant::min();
}

// ---- daemons

std::size_t Ground::index_of(const PeerId& peer) const {
  const auto [found, fresh] = peers_.try_emplace(peer, peers_.size());
  if (fresh) hosts_.emplace_back();
  return found->second;
}

bool Ground::serves(const Host& server, const Host& client) {
  return std::ranges::any_of(client.membership.servers, [&](const auto& s) { return s.id == server.id(); });
}

const std::vector<const Host*>& Ground::hosts_of(const PeerId& peer) const { return hosts_[index_of(peer)]; }

Relation& Ground::relation(const Host& host, const PeerId& peer) const {
  auto& relations = known(host.machine().index()).relations;
  const std::size_t index = index_of(peer);
  if (index >= relations.size()) relations.resize(index + 1);
  return relations[index];
}

Instant Ground::changed(const Host& host) const { return known(host.machine().index()).changed; }
const std::optional<event::InstanceId>& Ground::instance(const Host& host) const {
  return known(host.machine().index()).instance;
}
Instant Ground::said_late(const Host& host) const { return known(host.machine().index()).said_late; }
Instant Ground::searched(const Host& host) const {
  const Known& here = known(host.machine().index());
  return here.searches.empty() ? here.searched : Instant::max();
}
Instant Ground::busy_until(const Host& host) const { return known(host.machine().index()).busy_until; }

void Ground::started(Instant at, const Host& host) {
  Known& here = known(host.machine().index());
  here.host = &host;
  here.changed = at;
  here.said_late = Instant::min();
  here.searches.clear();
  here.relations.clear();
  auto& same = hosts_[index_of(host.id())];
  if (std::ranges::find(same, &host) == same.end()) same.push_back(&host);
}

void Ground::died(Instant at, const Host& host) {
  Known& here = known(host.machine().index());
  here.changed = at;
  here.instance.reset();
  here.relations.clear();
}

void Ground::recorded(Instant at, const Host& host, const event::Record& record) {
  Known& here = known(host.machine().index());
  if (const auto* e = std::get_if<event::NodeStarted>(&record.event)) {
    here.instance = e->instance;
  } else if (std::holds_alternative<event::NodeLate>(record.event) ||
             std::holds_alternative<event::ClockJumped>(record.event)) {
    here.said_late = at;
  } else if (const auto* changed = std::get_if<event::StateChanged>(&record.event)) {
    Relation& r = relation(host, changed->peer);
    r.state = changed->to;
    if (changed->from == event::SessionState::connected) r.connected_since.reset();
  } else if (const auto* up = std::get_if<event::SessionEstablished>(&record.event)) {
    Relation& r = relation(host, up->peer);
    r.connected_since = at;
    r.health = event::PathHealth::proved;
    r.health_since = at;
    r.in_use = up->address;
    r.paths = {{up->address, {event::PathHealth::proved, at}}};
    r.flow = session_flow(at, host, up->peer, up->address);
    r.dialled = up->dialled;
    ++r.sessions;
  } else if (const auto* attempt = std::get_if<event::TraversalStarted>(&record.event)) {
    const bool looks = attempt->method == event::TraversalMethod::prediction || attempt->method == event::TraversalMethod::birthday;
    if (looks) here.searches.emplace(attempt->peer, at);
  } else if (const auto* over = std::get_if<event::TraversalEnded>(&record.event)) {
    if (here.searches.erase(over->peer) != 0) here.searched = at;
  } else if (const auto* gone = std::get_if<event::PeerRemoved>(&record.event)) {
    relation(host, gone->peer) = {};
  } else {
    path_told(at, host, record.event);
  }
}

void Ground::path_told(Instant at, const Host& host, const event::Event& event) {
  if (const auto* proved = std::get_if<event::PathProved>(&event)) {
    Relation& r = relation(host, proved->peer);
    r.paths[proved->address] = {event::PathHealth::proved, at};
    session_flow(at, host, proved->peer, proved->address);
    if (proved->address != r.in_use || r.health == event::PathHealth::proved) return;
    r.health = event::PathHealth::proved;  // by a newer connection of the same session
    r.health_since = at;
  } else if (const auto* moved = std::get_if<event::PathMoved>(&event)) {
    rename(relation(host, moved->peer).paths, moved->from, moved->to);
  } else if (const auto* forgotten = std::get_if<event::PathForgotten>(&event)) {
    if (forgotten->why != event::PathEnd::unanswered) relation(host, forgotten->peer).paths.erase(forgotten->address);
  } else if (const auto* health = std::get_if<event::PathHealthChanged>(&event)) {
    Relation& r = relation(host, health->peer);
    r.paths[health->address] = {health->to, at};
    if (health->address != r.in_use || health->to == event::PathHealth::dead) return;
    r.health = health->to;
    r.health_since = at;
  } else if (const auto* changed = std::get_if<event::PathChanged>(&event)) {
    Relation& r = relation(host, changed->peer);
    r.health_since = at;
    r.health = event::PathHealth::dead;
    if (changed->to == event::PathKind::none) return;
    r.in_use = changed->address;
    r.health = r.paths[changed->address].health;
    r.flow = session_flow(at, host, changed->peer, changed->address);
  }
}

void Ground::commanded(Instant at, const Host& host, event::Ticket, const event::Command& command) {
  Instant until = at;
  PeerId peer;
  if (const auto* measure = std::get_if<event::MeasureBandwidth>(&command)) {
    until += 2 * std::min(measure->duration, Duration{10s}) + kMeasurementTail;
    peer = measure->peer;
  } else if (const auto* ping = std::get_if<event::Ping>(&command)) {
    Known& here = known(host.machine().index());
    if (at - kPingTail > here.pinged) here.ping_bytes = 0;
    here.pinged = at;
    here.ping_bytes += ping->size + kPingOverhead;
    if (here.ping_bytes > kPingsFelt) until += kPingTail;
    peer = ping->peer;
  } else {
    return;
  }
  auto busy = [&](const Host& h) {
    Known& k = known(h.machine().index());
    k.busy_until = std::max(k.busy_until, until);
  };
  busy(host);
  for (const Host* other : hosts_of(peer)) busy(*other);
}

}  // namespace pw::sim
