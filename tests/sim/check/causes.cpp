#include "sim/check/causes.hpp"

#include <algorithm>

#include "probe/liveness.hpp"
#include "sim/check/rename.hpp"
#include "sim/world.hpp"
#include "wire/demux.hpp"

namespace pw::sim {

using event::CloseReason;
using event::PathHealth;
using probe::Liveness;

namespace {

/// Silent probes in a row that a death takes, as it was designed: what the code says of it may be wrong.
constexpr unsigned kDeadAfter = 8;
constexpr Duration kRounding = 10ms;  // of eight deadlines that share turns
/// A pause costs a probe as long as it lasts and the one that was under way.
constexpr Duration kProbeInPause = Liveness::kMinTimeout;
/// The two ends of a handshake that loses packets believe in their session that far apart.
constexpr Duration kHandshakes = 30s;

constexpr Duration kBacklog = 2min;
constexpr Duration kShared = 1min;  // for which the former peer of an address believes in it: until its session ends
/// After losses or a pause QUIC's window is down to two packets, and what waits goes out bit by bit.
constexpr Duration kRecovery = 3s;
/// The end of what bulk may take, in which it is well on its way if all is well.
constexpr Duration kBulkPasses = 3s;

}  // namespace

Causes::Path& Causes::path(const Host& host, const PeerId& peer) {
  auto& paths = paths_[host.index()];
  const std::size_t index = ground_.index_of(peer);
  if (index >= paths.size()) paths.resize(index + 1);
  return paths[index];
}

void Causes::started(Instant, const Host& host) { paths_[host.index()].clear(); }

void Causes::recorded(Instant at, const Host& host, const event::Record& record) {
  if (!alarms_.empty()) judge_until(at);
  if (const auto* probe = std::get_if<event::ProbeMeasured>(&record.event)) {
    Probed& p = path(host, probe->peer).probed[probe->address];
    p.last_proof = at;
    if (!probe->suspect) p.rtt.add(probe->rtt);
  } else if (const auto* who = std::get_if<event::PeerIdentified>(&record.event)) {
    path(host, who->peer) = {};
    path(host, who->peer).probed[ground_.relation(host, who->peer).in_use].last_proof = at;
  } else if (const auto* proved = std::get_if<event::PathProved>(&record.event)) {
    path(host, proved->peer).probed[proved->address] = {.rtt = {}, .last_proof = at, .suspect_at = {}};
  } else if (const auto* refused = std::get_if<event::CheckRefused>(&record.event)) {
    auto& elsewhere = path(host, refused->peer).elsewhere;
    if (refused->reason != event::CheckRefusal::wrong_source) return;
    if (elsewhere.size() == kElsewhere) elsewhere.pop_front();
    elsewhere.push_back({at, refused->from});
  } else if (const auto* moved = std::get_if<event::PathMoved>(&record.event)) {
    rename(path(host, moved->peer).probed, moved->from, moved->to);
  } else if (const auto* forgotten = std::get_if<event::PathForgotten>(&record.event)) {
    path(host, forgotten->peer).probed.erase(forgotten->address);
  } else if (const auto* health = std::get_if<event::PathHealthChanged>(&record.event)) {
    health_changed(at, host, *health);
  } else if (const auto* ended = std::get_if<event::SessionEnded>(&record.event)) {
    session_ended(at, host, *ended);
  } else if (const auto* dial = std::get_if<event::DialEnded>(&record.event)) {
    if (dial->result == event::DialResult::cancelled) path(host, dial->peer).cancelled_at = at;
  } else if (const auto* changed = std::get_if<event::StateChanged>(&record.event)) {
    const bool in_vain = changed->from == event::SessionState::connecting && changed->to == event::SessionState::failed;
    if (in_vain && path(host, changed->peer).cancelled_at == at) refused_anew(at, host, changed->peer);
  }
}

// ---- false alarms

void Causes::health_changed(Instant at, const Host& host, const event::PathHealthChanged& e) {
  Probed& p = path(host, e.peer).probed[e.address];
  if (e.to == PathHealth::proved) return;
  const Duration wait = Liveness::timeout_of(p.rtt.smoothed(), p.rtt.variation());
  if (e.to == PathHealth::suspect) {
    // What is out when a daemon finds itself late gets its whole time-out again: own lateness is not the path's.
    if (at - std::max(p.last_proof, ground_.said_late(host)) + kRounding < wait)
      complain(host.name() + at_text(at) + "a path was suspected before its time (of " + e.peer.to_short() + ")");
    p.suspect_at = at;
  } else if (at - p.suspect_at + kRounding < kDeadAfter * wait) {
    complain(host.name() + at_text(at) + "a path was called dead before eight probes had their time (of " +
             e.peer.to_short() + ")");
  }
  if (e.address.relayed()) return;  // what goes wrong at a relay, or on the way to it, is told of no path
  const std::size_t needed = e.to == PathHealth::dead ? kDeadAfter : 1;
  const Instant since = e.to == PathHealth::suspect ? p.last_proof - kRecovery : p.last_proof;
  const Alarm alarm{at, &host, e.peer, e.address.remote, e.to, since, needed, ground_.find(host, e.address)};
  if (!other_end_excuses(host, e.peer, alarm.since) && !explained(alarm)) alarms_.push_back(alarm);
}

/// What needs no packet to go wrong.
bool Causes::other_end_excuses(const Host& host, const PeerId& peer, Instant from) const {
  const auto& others = ground_.hosts_of(peer);
  // Nobody with that key, or twins who take turns: which of them a probe went to is not known.
  if (others.size() != 1) return true;
  const Host& other = *others.front();
  if (!other.running() || ground_.changed(other) >= from) return true;
  const Relation& there = ground_.relation(other, host.id());
  if (!there.connected_since || *there.connected_since >= from) return true;
  if (ground_.slow(host.machine().index()) || ground_.slow(other.machine().index())) return true;
  // Bulk fills QUIC's own queue, where probes wait unseen; what met a black hole still does when that has ended.
  const Instant busy = std::max(ground_.busy_until(host), ground_.busy_until(other));
  return busy >= from || (busy + Ground::kBulkStuck >= from && stuck_since(busy - kBulkPasses, host, other));
}

bool Causes::stuck_since(Instant from, const Host& host, const Host& other) const {
  const std::size_t a = host.machine().index();
  const std::size_t b = other.machine().index();
  return ground_.passage(a, b).mishaps.any_since(from) || ground_.passage(b, a).mishaps.any_since(from);
}

void Causes::judge_until(Instant at) {
  while (!alarms_.empty() && alarms_.front().at + kJudgedAfter <= at) {
    const Alarm alarm = alarms_.front();
    alarms_.pop_front();
    if (!explained(alarm))
      complain(alarm.host->name() + at_text(alarm.at) + "a path was called " + std::string{pw::name(alarm.to)} +
               " although nothing was wrong with it (of " + alarm.peer.to_short() + ")" + seen(alarm));
  }
}

/// For people: what the wire says about an alarm that it does not explain.
std::string Causes::seen(const Alarm& alarm) const {
  if (alarm.flow == Flow::kNone) return {};
  const Flow& there = ground_.flow(alarm.flow);
  std::string out = "; silent for " + std::to_string(to_seconds(alarm.at - alarm.since)) + " s; sent to " +
                    there.remote.to_string() + ": " + std::to_string(there.sent.packets) + ", lost " +
                    std::to_string(there.lost) + ", bent " + std::to_string(there.bent) + ", received " +
                    std::to_string(there.received.packets);
  if (there.back != Flow::kNone) out += ", lost on the way back " + std::to_string(ground_.flow(there.back).lost);
  return out;
}

bool Causes::explained(const Alarm& alarm) {
  // A NAT gave the address to another peer: what still goes there for the old one is not seen to go astray.
  if (alarm.flow != Flow::kNone && ground_.flow(alarm.flow).shared_at + kShared > alarm.since) return true;
  const std::size_t here = alarm.host->machine().index();
  const std::size_t there = ground_.hosts_of(alarm.peer).front()->machine().index();
  auto wrong = static_cast<std::size_t>(std::ranges::count_if(
      path(*alarm.host, alarm.peer).elsewhere, [&](const Path::Stray& s) {
        return s.at >= alarm.since && s.at <= alarm.at && s.from != alarm.remote;
      }));
  for (const auto& [from, to] : {std::pair{here, there}, std::pair{there, here}}) {
    const Mishaps& mishaps = ground_.passage(from, to).mishaps;
    if (mishaps.forgot(alarm.since)) return true;  // it went on going wrong: what came after pushed them out
    wrong += mishaps.count(alarm.since, alarm.at);
    if (ground_.was_paused(from, alarm.since, alarm.at))
      wrong += 1 + static_cast<std::size_t>(ground_.paused(from, alarm.since, alarm.at) / kProbeInPause);
  }
  return wrong >= alarm.needed;
}

void Causes::session_ended(Instant at, const Host& host, const event::SessionEnded& e) {
  const Relation& here = ground_.relation(host, e.peer);
  switch (e.reason) {
    case CloseReason::local_shutdown:
    case CloseReason::operator_request:
    case CloseReason::peer_removed:
      return;  // of our own doing
    case CloseReason::timeout:
      if (here.health == PathHealth::dead && at - here.health_since >= host.options.peer.dead_session) return;
      break;
    case CloseReason::protocol:
      if (ground_.hosts_of(e.peer).size() == 1)
        complain(host.name() + at_text(at) + "a daemon of ours broke the protocol: " + e.detail);
      return;
    case CloseReason::peer_shutdown:
    case CloseReason::peer_request:
    case CloseReason::replaced:
    case CloseReason::reset:
      break;
    case CloseReason::error:
      refused_anew(at, host, e.peer);
      break;
  }
  // The other end has to know of it: it is gone, somebody else by now, or does not hold that session any more.
  const auto& others = ground_.hosts_of(e.peer);
  if (others.size() != 1 || !here.connected_since) return;
  const Host& other = *others.front();
  const Relation& there = ground_.relation(other, host.id());
  if (!other.running() || ground_.changed(other) > *here.connected_since || !there.connected_since) return;
  if (*there.connected_since > *here.connected_since + kHandshakes) return;
  // Through a relay nothing tells when the handshake was.
  const Instant handshake = here.flow != Flow::kNone ? ground_.flow(here.flow).last_long_header : *here.connected_since;
  if (handshake + kHandshakes > at) return;
  complain(host.name() + at_text(at) + "a session ended by " + std::string{pw::name(e.reason)} +
           " that the other end still holds (of " + other.name() + ")");
}

// ---- daemons that were started anew

bool Causes::held_by_former(const Host& host, const PeerId& peer) const {
  const auto& others = ground_.hosts_of(peer);
  if (others.size() != 1 || !others.front()->running()) return false;
  const Relation& there = ground_.relation(*others.front(), host.id());
  return there.connected_since && *there.connected_since < ground_.changed(host);
}

/// A connection was closed although the other end had no reason to.
void Causes::refused_anew(Instant at, const Host& host, const PeerId& peer) {
  if (held_by_former(host, peer))
    complain(host.name() + at_text(at) + "its connection was refused for its former instance's session (by " +
             peer.to_short() + ")");
}

void Causes::arrived(Instant at, const net::Machine& machine, const net::Packet& packet) {
  const Now& now = ground_.packet();
  if (now.flow == Flow::kNone || !now.travelled || now.bent || packet.payload.size() <= kShortestReset) return;
  if (wire::classify(packet.payload) != wire::DatagramKind::quic) return;  // checks are answered by nothing
  const std::size_t sender = ground_.flow(now.flow).back;
  const Host* here = ground_.host_on(ground_.flow(sender).machine);
  const Host* there = ground_.host_on(machine.index());
  if (!here || !there || !here->running() || !there->running() || now.sent_at < ground_.changed(*there)) return;
  if (!held_by_former(*there, here->id()) || ground_.relation(*here, there->id()).flow != sender) return;
  Path& p = path(*here, there->id());
  const Flow& back = ground_.flow(now.flow);
  if (p.unknown == 0 || p.back != now.flow || p.unknown_since < ground_.changed(*there)) {
    p.unknown = 0;
    p.unknown_since = at;
    p.back = now.flow;
    p.back_wrong = back.lost + back.bent;
  }
  ++p.unknown;
}

void Causes::check_forgotten(const World& world, const Host& host, const Host& other) {
  Path& p = path(host, other.id());
  const Relation& here = ground_.relation(host, other.id());
  if (!other.running() || !here.connected_since || !here.dialled || !held_by_former(other, host.id())) {
    p.unknown = 0;
    return;
  }
  if (p.unknown < kUnknownPackets || world.now() - p.unknown_since < kResetTakes) return;
  const Flow& back = ground_.flow(p.back);
  if (back.lost + back.bent != p.back_wrong || back.last_long_header >= p.unknown_since) return;
  for (const Host* h : {&host, &other})
    if (ground_.was_paused(h->machine().index(), p.unknown_since, world.now())) return;
  complain(host.name() + at_text(world.now()) + "it holds a session that " + other.name() + " knows nothing of, which was told it " +
           std::to_string(p.unknown) + " packets ago");
}

// ---- missed alarms

Duration Causes::detection(const Host& host, const Probed& p) const {
  const Duration wait = Liveness::timeout_of(p.rtt.smoothed(), p.rtt.variation());
  return 2 * host.membership.probe.datagram_interval + (1 + kDeadAfter) * wait + kNoticed;
}

/// When the wire last carried something each way.
Instant Causes::heard_both_ways(const Host& host, const Host& other) const {
  const std::size_t a = host.machine().index();
  const std::size_t b = other.machine().index();
  return std::min(ground_.passage(a, b).last_arrival, ground_.passage(b, a).last_arrival);
}

void Causes::check_missed(const World& world, const Host& host, const Host& other) {
  const Relation& here = ground_.relation(host, other.id());
  if (!here.connected_since || here.health == PathHealth::dead) return;
  const std::size_t machine = host.machine().index();
  const Probed& p = path(host, other.id()).probed[here.in_use];
  const Duration limit = detection(host, p);
  const Instant from = world.now() - limit - ground_.paused(machine, world.now() - 2 * limit, world.now());
  // A new connection, and one's own lateness, begin the wait anew.
  // A peer that was paused sends proofs of long ago when it runs again.
  // And through a relay nothing is heard of the peer's machine.
  const bool honest = !here.in_use.relayed() && !ground_.was_paused(other.machine().index(), from - kBacklog, world.now());
  const Instant proof = honest ? std::min(p.last_proof, heard_both_ways(host, other)) : p.last_proof;
  // So does a late answer to an old probe, which makes a dead path believed in for a moment.
  if (std::max({*here.connected_since, proof, ground_.said_late(host), here.health_since}) >= from) return;
  if (ground_.slow(machine) || ground_.was_paused(machine, from, world.now())) return;
  complain(host.name() + at_text(world.now()) + "no probe to " + other.name() + " was answered for " +
           std::to_string(to_seconds(world.now() - std::max(proof, *here.connected_since))) +
           " s, and its path is called " +
           std::string{pw::name(here.health)});
}

/// By the truth of the net: where nothing gets through one way, nobody may believe in a path.
void Causes::check_faults(const World& world) {
  for (const Fault& fault : world.faults()) {
    if (!fault.active(world.now()) || fault.effect == Effect::none || fault.effect == Effect::degrades) continue;
    for (std::size_t i = 0; i < world.size(); ++i)
      for (std::size_t j = 0; j < world.size(); ++j) {
        const Host& host = world.host(i);
        if (i == j || !fault.touches(i, j) || !host.running()) continue;
        if (fault.host == i && !fault.other) continue;  // what it does to others
        const Relation& here = ground_.relation(host, world.host(j).id());
        if (!here.connected_since || *here.connected_since >= fault.start || here.health == PathHealth::dead) continue;
        if (here.in_use.relayed()) continue;
        if (ground_.hosts_of(world.host(j).id()).size() != 1) continue;
        const Duration limit = detection(host, path(host, world.host(j).id()).probed[here.in_use]);
        if (world.now() - fault.start < limit || ground_.said_late(host) + limit > world.now()) continue;
        // It noticed; an answer from before the fault, or by another way, has just made it believe again.
        if (here.health_since > fault.start && here.health_since + limit > world.now()) continue;
        if (ground_.was_paused(host.machine().index(), fault.start, world.now())) continue;
        // Both ways something came through: the fault does not cut this path.
        if (heard_both_ways(host, world.host(j)) > fault.start + kNoticed) continue;
        complain(host.name() + at_text(world.now()) + "it did not notice: " + fault.to_string());
      }
  }
}

void Causes::look(const World& world) {
  judge_until(world.now());
  for (std::size_t i = 0; i < world.size(); ++i) {
    const Host& host = world.host(i);
    if (!host.running() || ground_.was_paused(host.machine().index(), world.now(), world.now())) continue;
    for (std::size_t j = 0; j < world.size(); ++j)
      if (i != j && world.host(i).id() != world.host(j).id()) {
        check_missed(world, host, world.host(j));
        check_forgotten(world, host, world.host(j));
      }
  }
  check_faults(world);
}

}  // namespace pw::sim
