#include "sim/check/deadlines.hpp"

#include "mesh/rendezvous.hpp"
#include "peer/breaker.hpp"
#include "peer/dial.hpp"
#include "probe/echo.hpp"
#include "probe/liveness.hpp"
#include "sim/check/rename.hpp"
#include "sim/world.hpp"

namespace pw::sim {

using event::PathHealth;
using event::SessionState;

namespace {

// Of a bandwidth measurement (peer/bandwidth_test.cpp): each direction asks (5 s), takes its time (10 s at most), and
// waits for what is on its way and the report (5 s).
constexpr Duration kRoundOfMeasurement = 5s + 5s;
constexpr Duration kLongestMeasurement = 10s;
constexpr Duration kAtOnce = 1ms;

}  // namespace

DeadlinesKept::Mark DeadlinesKept::mark(Instant at, const Host& host) const {
  return {at, ground_.paused(host.machine().index(), at)};
}

Duration DeadlinesKept::awake_since(const Mark& mark, Instant at, const Host& host) const {
  return (at - mark.at) - (ground_.paused(host.machine().index(), at) - mark.paused);
}

void DeadlinesKept::limit(Instant at, const Host& host, const Mark& since, Duration most, const std::string& what) {
  // Its timers get their turn when what has arrived is handled, up to kBatch datagrams.
  if (ground_.slow(host.machine().index()) || host.machine().backlog() > 0) return;
  const Duration took = awake_since(since, at, host);
  if (took > most)
    complain(host.name() + at_text(at) + what + " for " +
             std::to_string(to_seconds(took)) + " s, where " + std::to_string(to_seconds(most)) + " s are allowed");
}

/// The handshake, and the exchange that admits.
Duration DeadlinesKept::handshake_limit(const Host& host) const {
  return host.options.quic.handshake_timeout + host.options.peer.admission_timeout + kSlack;
}

Duration DeadlinesKept::dial_limit(const Host& host) const {
  // A relay is sought before the handshake over it begins.
  const Duration seek = host.membership.servers.empty() ? Duration{} : mesh::Rendezvous::kPatience;
  return std::max({world_.names.takes, world_.names.gives_up, seek}) + handshake_limit(host);
}

void DeadlinesKept::check(Instant at, const Host& host, const Daemon& daemon, const PeerId& id, const Peer& peer) {
  const std::string of = " (of " + id.to_short() + ")";
  if (peer.dial) limit(at, host, *peer.dial, peer.dial_limit, "a dial is under way" + of);
  if (peer.dial && peer.names_up) check_tie(at, host, id, peer);
  // A connection of the peer's that waits for admission has its own time after the dial that it waited for.
  if (peer.state == SessionState::connecting)
    limit(at, host, peer.progress, dial_limit(host) + host.options.peer.admission_timeout, "nothing but connecting" + of);
  if (peer.state == SessionState::disconnecting)
    limit(at, host, peer.since, host.options.peer.goodbye_timeout + kSlack, "disconnecting" + of);
  check_health(at, host, daemon, id, peer);
}

/// Whether a handshake with one of the addresses that the other is known by went both ways within that time, and none
/// goes on.
bool DeadlinesKept::shook_hands(Instant from, Instant to, const Host& host, const Host& other) const {
  const auto spec = std::ranges::find(host.membership.peers, other.id(), &event::PeerSpec::id);
  if (spec == host.membership.peers.end()) return false;
  bool answered = false;
  for (const HostPort& address : spec->addresses) {
    const auto ip = IpAddress::parse(address.host);
    const std::size_t index = ip ? ground_.find(host.machine().index(), {*ip, address.port}) : Flow::kNone;
    if (index == Flow::kNone || ground_.flow(index).to != other.machine().index()) continue;
    const Flow& flow = ground_.flow(index);
    if (flow.last_long_header > to) return false;
    answered |= std::min(flow.last_long_sent, flow.last_long_arrival) > from;
  }
  return answered;
}

/// Two that dial each other while nothing is wrong agree on one of the connections as soon as they shook hands.
void DeadlinesKept::check_tie(Instant at, const Host& host, const PeerId& id, const Peer& peer) {
  const auto& others = ground_.hosts_of(id);
  if (others.size() != 1 || !others.front()->running()) return;
  const Host& other = *others.front();
  const auto& peers = daemons_[other.index()].peers;
  const auto there = peers.find(host.id());
  if (there == peers.end() || !there->second.dial || !there->second.names_up) return;
  const Instant since = std::max(peer.dial->at, there->second.dial->at);
  if (at - since <= kTieSettled) return;
  const std::size_t a = host.machine().index();
  const std::size_t b = other.machine().index();
  if (ground_.was_paused(a, since, at) || ground_.was_paused(b, since, at)) return;
  if (ground_.passage(a, b).mishaps.any_since(since) || ground_.passage(b, a).mishaps.any_since(since)) return;
  const auto troubled = [&](const Host& one, const Host& two) {
    return std::ranges::any_of(world_.faults(), [&](const Fault& f) {
      return f.touches(one.index(), two.index()) && f.end.value_or(at) >= since;
    });
  };
  if (troubled(host, other)) return;
  // The connection that both wait for may be one through a relay: until that is known to be dead, it is.
  for (std::size_t s = 0; s < world_.size(); ++s)
    for (const Host* client : {&host, &other})
      if (const Host& server = world_.host(s); Ground::serves(server, *client))
        if (!server.running() || ground_.changed(server) >= since || troubled(server, *client)) return;
  if (shook_hands(since, at - kTieSettled, host, other) && shook_hands(since, at - kTieSettled, other, host))
    complain(host.name() + at_text(at) + "it and " + other.name() +
             " dial each other for " + std::to_string(to_seconds(at - since)) + " s, and all packets arrive");
}

void DeadlinesKept::check_health(Instant at, const Host& host, const Daemon& daemon, const PeerId& id,
                                 const Peer& peer) {
  for (const auto& [path, since] : peer.suspect) check_suspect(at, host, daemon, id, peer, path);
  if (peer.dead)
    limit(at, host, *peer.dead, host.options.peer.dead_session + kSlack,
          "a session has no live path (of " + id.to_short() + ")");
}

void DeadlinesKept::check_suspect(Instant at, const Host& host, const Daemon& daemon, const PeerId& id,
                                  const Peer& peer, const PathAddress& path) {
  const auto suspect = peer.suspect.find(path);
  if (suspect == peer.suspect.end()) return;
  const Mark& since = daemon.late.at > suspect->second.at ? daemon.late : suspect->second;
  const auto known = peer.rtt.find(path);
  const probe::RttEstimator rtt = known == peer.rtt.end() ? probe::RttEstimator{} : known->second;
  const Duration wait = probe::Liveness::timeout_of(rtt.smoothed(), rtt.variation());
  limit(at, host, since, probe::Liveness::kDeadAfter * wait + kSlack, "a path is suspect (of " + id.to_short() + ")");
}

void DeadlinesKept::started(Instant, const Host& host) { daemons_[host.index()] = {}; }

void DeadlinesKept::died(Instant at, const Host& host) {
  const Daemon& daemon = daemons_[host.index()];
  for (const auto& [id, peer] : daemon.peers) check(at, host, daemon, id, peer);
  daemons_.erase(host.index());
}

void DeadlinesKept::recorded(Instant at, const Host& host, const event::Record& record) {
  Daemon& daemon = daemons_[host.index()];
  if (const auto* probe = std::get_if<event::ProbeMeasured>(&record.event)) {
    if (!probe->suspect) daemon.peers[probe->peer].rtt[probe->address].add(probe->rtt);
  } else if (const auto* changed = std::get_if<event::StateChanged>(&record.event)) {
    Peer& peer = daemon.peers[changed->peer];
    check(at, host, daemon, changed->peer, peer);
    peer.state = changed->to;
    if (changed->to == SessionState::connected || changed->to == SessionState::disconnected) peer.told.reset();
    peer.since = peer.progress = mark(at, host);
    peer.suspect.clear();
    peer.dead.reset();
  } else if (const auto* start = std::get_if<event::DialStarted>(&record.event)) {
    Peer& peer = daemon.peers[start->peer];
    peer.dial = peer.progress = mark(at, host);
    peer.dial_limit = dial_limit(host);
    peer.names_up = world_.names.up;
    peer.strangers = 0;
    peer.told.reset();
  } else if (const auto* end = std::get_if<event::DialEnded>(&record.event)) {
    Peer& peer = daemon.peers[end->peer];
    check(at, host, daemon, end->peer, peer);
    peer.dial.reset();
    peer.progress = mark(at, host);
    if (end->result == event::DialResult::failed) peer.told = Mark{at + end->retry_in, mark(at, host).paused};
  } else if (const auto* failed = std::get_if<event::ConnectionFailed>(&record.event)) {
    if (const auto known = failed->peer ? daemon.peers.find(*failed->peer) : daemon.peers.end();
        known != daemon.peers.end()) {
      Peer& peer = known->second;
      peer.progress = mark(at, host);
      // Another key answered at one of the addresses: the dial goes on with a whole handshake to the others.
      const bool stranger = failed->error == event::ErrorType::tls || failed->error == event::ErrorType::refused ||
                            failed->error == event::ErrorType::protocol;
      if (peer.dial && stranger && ++peer.strangers < peer::Dial::kMaxHandshakes) {
        check(at, host, daemon, *failed->peer, peer);
        peer.dial = peer.progress;
        peer.dial_limit = dial_limit(host);
      }
    }
  } else if (const auto* who = std::get_if<event::PeerIdentified>(&record.event)) {
    Peer& peer = daemon.peers[who->peer];  // a new connection: measured anew
    check_health(at, host, daemon, who->peer, peer);
    peer.rtt.clear();
    peer.suspect.clear();
    peer.dead.reset();
  } else if (const auto* health = std::get_if<event::PathHealthChanged>(&record.event)) {
    Peer& peer = daemon.peers[health->peer];
    // The sample that proves it came a moment earlier and is in the estimate already: only the way to dead is timed.
    if (health->to == PathHealth::dead) check_suspect(at, host, daemon, health->peer, peer, health->address);
    peer.suspect.erase(health->address);
    if (health->to == PathHealth::suspect) peer.suspect[health->address] = mark(at, host);
  } else if (const auto* changed_path = std::get_if<event::PathChanged>(&record.event)) {
    Peer& peer = daemon.peers[changed_path->peer];
    if (peer.dead) check_health(at, host, daemon, changed_path->peer, peer);
    peer.dead.reset();
    if (changed_path->to == event::PathKind::none) peer.dead = mark(at, host);
  } else if (const auto* moved = std::get_if<event::PathMoved>(&record.event)) {
    Peer& peer = daemon.peers[moved->peer];
    rename(peer.suspect, moved->from, moved->to);
    rename(peer.rtt, moved->from, moved->to);
  } else if (const auto* forgotten = std::get_if<event::PathForgotten>(&record.event)) {
    Peer& peer = daemon.peers[forgotten->peer];
    peer.suspect.erase(forgotten->address);
    peer.rtt.erase(forgotten->address);
  } else if (const auto* removed = std::get_if<event::PeerRemoved>(&record.event)) {
    daemon.peers.erase(removed->peer);
  } else if (std::holds_alternative<event::NodeLate>(record.event) ||
             std::holds_alternative<event::ClockJumped>(record.event)) {
    daemon.late = mark(at, host);
  } else if (std::holds_alternative<event::NodeStopping>(record.event)) {
    daemon.stopping = mark(at, host);
  }
}

void DeadlinesKept::commanded(Instant at, const Host& host, event::Ticket ticket, const event::Command& command) {
  Duration most = kAtOnce;
  if (std::holds_alternative<event::Ping>(command)) most = probe::EchoProber::kGiveUp + kSlack;
  if (const auto* m = std::get_if<event::MeasureBandwidth>(&command))
    most = 2 * (kRoundOfMeasurement + std::clamp(m->duration, Duration{}, kLongestMeasurement)) + kSlack;
  daemons_[host.index()].commands[ticket] = {mark(at, host), most};
}

void DeadlinesKept::answered(Instant at, const Host& host, event::Ticket ticket, const event::Answer&) {
  auto& commands = daemons_[host.index()].commands;
  const auto asked = commands.find(ticket);
  if (asked == commands.end()) return;
  limit(at, host, asked->second.since, asked->second.limit, "a command was unanswered");
  commands.erase(asked);
}

void DeadlinesKept::look(const World& world) {
  for (auto& [index, daemon] : daemons_) {
    const Host& host = world.host(index);
    if (!host.running()) continue;
    for (const auto& [id, peer] : daemon.peers) check(world.now(), host, daemon, id, peer);
    for (const auto& [ticket, command] : daemon.commands)
      limit(world.now(), host, command.since, command.limit, "a command is unanswered");
    if (daemon.stopping && !host.node().stopped())
      limit(world.now(), host, *daemon.stopping, host.options.peer.goodbye_timeout + kStopSlack, "stopping");
    if (!daemon.stopping) check_snapshot(world, host, daemon);
  }
}

/// Nobody is forgotten: whoever has an address and is not connected has its next dial.
void DeadlinesKept::check_snapshot(const World& world, const Host& host, const Daemon& daemon) {
  const auto snapshot = host.snapshot();
  for (const auto& p : snapshot.peers) {
    const std::string of = " (of " + p.id.to_short() + ")";
    if (p.next_dial) {
      const Duration overdue = snapshot.at - *p.next_dial;
      const Duration paused = ground_.paused(host.machine().index(), world.now() - overdue, world.now());
      if (overdue - paused > kSlack && !ground_.slow(host.machine().index()))
        complain(host.name() + ": a dial is overdue by " + std::to_string(to_seconds(overdue)) + " s" + of);
      // It may be sooner, by a command or a reload, or wait for whoever is at the door.
      const auto peer = daemon.peers.find(p.id);
      if (peer != daemon.peers.end() && peer->second.told) {
        const Duration told = -awake_since(*peer->second.told, world.now(), host);
        if (-overdue > std::max(told, Duration{}) + host.options.peer.retry_initial + kSlack)
          complain(host.name() + ": the next dial is in " + std::to_string(to_seconds(-overdue)) + " s, but was told to be in " +
                   std::to_string(to_seconds(told)) + " s" + of);
      }
      const bool open = p.breaker.state == event::BreakerState::open;
      if (open && *p.next_dial < *p.breaker.next_attempt)
        complain(host.name() + ": the next dial is before its breaker lets one through" + of);
      const Duration back_off = host.options.peer.retry_max;
      const Duration longest = open ? std::max(peer::Breaker::kLongestTimeout, back_off) : back_off;
      if (-overdue > longest + kSlack)
        complain(host.name() + ": the next dial is further away than the longest back-off" + of);
    }
    const bool down = p.state == SessionState::disconnected || p.state == SessionState::failed;
    if (down && !p.next_dial && !p.addresses.empty() && !p.held)
      complain(host.name() + ": a peer is down and nobody will dial it" + of);
  }
}

}  // namespace pw::sim
