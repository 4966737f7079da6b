#include "sim/check/ground.hpp"

#include <algorithm>
#include <cstring>

#include "probe/starvation.hpp"
#include "sim/check/rename.hpp"
#include "sim/host.hpp"
#include "wire/demux.hpp"
#include "wire/stun.hpp"

namespace pw::sim {
namespace {

constexpr std::size_t kPausesKept = 64;  // beyond, only their sum: rules look back a minute at most
/// A packet of an earlier second without an end is one whose end nobody told: the table does not grow for it.
constexpr std::size_t kMaxUnderWay = 1 << 20;
/// A bandwidth measurement lasts this long beyond its time both ways: requests, reports, what is still queued.
constexpr Duration kMeasurementTail = 20s;

/// Pings of more than that within their tail fill a congestion window: probes wait behind them.
constexpr Duration kPingTail = 3s;
constexpr std::uint64_t kPingsFelt = 4000;
constexpr std::uint64_t kPingOverhead = 100;
/// A packet that waits for so long is sure to be seen late.
constexpr Duration kStarves = probe::Starvation::kThreshold + 1ms;

/// Tells whether bytes were bent on their way; every bit counts, order hardly.
std::uint64_t digest(const Buffer& bytes) {
  std::uint64_t sum = bytes.size();
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    sum += word;
  }
  for (; i < bytes.size(); ++i) sum += std::uint64_t{bytes[i]} << 8 * (i % 8);
  return sum;
}

/// What a daemon reads; it refuses everything else unread.
bool daemons_own(const Buffer& datagram) {
  const auto kind = wire::classify(datagram);
  return kind == wire::DatagramKind::quic || kind == wire::DatagramKind::stun;
}

bool long_header(const net::Packet& packet) { return !packet.payload.empty() && (packet.payload[0] & 0x80) != 0; }

}  // namespace

// ---- packets

std::size_t Ground::find(std::size_t machine, const SocketAddress& remote) const {
  const auto found = flow_index_.find({machine, Host::kPort, remote});
  return found == flow_index_.end() ? Flow::kNone : found->second;
}

std::size_t Ground::find(const Host& host, const PathAddress& path) const {
  const auto port = host.port_of(path.via);
  if (!port) return Flow::kNone;  // closed, or a channel
  const auto found = flow_index_.find({host.machine().index(), *port, path.remote});
  return found == flow_index_.end() ? Flow::kNone : found->second;
}

/// Whether it is a daemon's, by its own socket or a session's. What measures NATs and speaks with gateways is another matter.
bool Ground::daemons(std::size_t machine, std::uint16_t port, const net::Packet& packet) const {
  if (packet.protocol != net::Protocol::udp) return false;
  if (port == Host::kPort) return true;
  const Host* host = host_on(machine);
  const bool further = host != nullptr && std::ranges::any_of(host->further(), [port](const auto& s) { return s.second.port == port; });
  if (!further) return false;
  const auto kind = wire::classify(packet.payload);
  const auto decoded = kind == wire::DatagramKind::stun ? wire::stun::decode(packet.payload) : fail("none");
  return kind == wire::DatagramKind::quic || (decoded && decoded->integrity != wire::stun::Integrity::none);
}

std::size_t Ground::flow_of(const FlowKey& key) {
  const auto [found, fresh] = flow_index_.try_emplace(key, flows_.size());
  if (fresh) {
    flows_.emplace_back();
    flows_.back().machine = key.machine;
    flows_.back().remote = key.remote;
  }
  return found->second;
}

std::size_t Ground::session_flow(Instant at, const Host& host, const PeerId& peer, const PathAddress& path) {
  const auto port = host.port_of(path.via);
  if (!port) return Flow::kNone;  // through a relay: of its packets only the two ends know
  const std::size_t flow = flow_of({host.machine().index(), *port, path.remote});
  const auto& others = hosts_of(peer);
  if (flows_[flow].user && flows_[flow].user != peer) flows_[flow].shared_at = at;
  flows_[flow].user = peer;
  flows_[flow].meant = others.size() == 1 ? others.front()->machine().index() : Flow::kNone;
  return flow;
}

Ground::UnderWay* Ground::under_way(std::uint64_t id) {
  if (id < first_id_ || id - first_id_ >= packets_.size()) return nullptr;
  UnderWay& packet = packets_[id - first_id_];
  return packet.flow == Flow::kNone ? nullptr : &packet;
}

void Ground::settle(std::uint64_t id) {
  packets_[id - first_id_].flow = Flow::kNone;
  --under_way_;
  while (!packets_.empty() && packets_.front().flow == Flow::kNone) {
    packets_.pop_front();
    ++first_id_;
  }
}

void Ground::sent(Instant at, const net::Machine& from, const net::Packet& packet) {
  now_ = {};
  if (!daemons(from.index(), packet.source.port, packet)) return;  // another program's
  now_.flow = flow_of({from.index(), packet.source.port, packet.destination});
  now_.sent_at = at;
  Flow& flow = flows_[now_.flow];
  ++flow.sent.packets;
  flow.sent_quic += wire::classify(packet.payload) == wire::DatagramKind::quic;
  flow.sent.bytes += packet.payload.size();
  if (!flow.user) {
    Count& unclaimed = known(from.index()).unclaimed;
    ++unclaimed.packets;
    unclaimed.bytes += packet.payload.size();
  }
  check_sent(at, from, now_.flow, packet);
  if (long_header(packet)) flow.last_long_header = flow.last_long_sent = at;
  if (packets_.empty()) first_id_ = packet.id;
  if (packet.id < first_id_ || packets_.size() >= kMaxUnderWay) return;
  packets_.resize(packet.id - first_id_ + 1);
  packets_.back() = {at, now_.flow, digest(packet.payload)};
  ++under_way_;
}

void Ground::check_sent(Instant at, const net::Machine& from, std::size_t index, const net::Packet& packet) {
  if (wire::classify(packet.payload) != wire::DatagramKind::stun) return;
  const auto decoded = wire::stun::decode(packet.payload);
  if (!decoded || decoded->message.kind != wire::stun::Class::request || !decoded->message.username) return;
  const std::string& name = *decoded->message.username;
  auto& checked = known(from.index()).checked;
  if (checked.size() >= kMaxChecked) checked.clear();
  const auto [last, first] = checked.try_emplace(name, index);
  Flow& flow = flows_[index];
  if (last->second != index) flows_[last->second].mixed_at = flow.mixed_at = at;
  if (!flow.checked_for.empty() && flow.checked_for != name) flow.mixed_at = at;
  last->second = index;
  flow.checked_for = name;
}

void Ground::arrived(Instant at, const net::Machine& machine, const net::Packet& packet) {
  now_ = {};
  if (!daemons(machine.index(), packet.destination.port, packet)) return;
  now_.flow = flow_of({machine.index(), packet.destination.port, packet.source});
  now_.forged = packet.origin == net::kNoMachine;
  Known& here = known(machine.index());
  clock_ = at;
  if (machine.cost_of_arrival > Duration{}) here.slow_at = at;
  here.busy += machine.cost_of_arrival;
  Flow& flow = flows_[now_.flow];
  ++flow.received.packets;
  flow.received.bytes += packet.payload.size();
  if (long_header(packet)) flow.last_long_header = at;
  arrival_ = now_;
  if (!here.pauses.empty() && at < here.pauses.back().to && daemons_own(packet.payload))
    here.first_waiting = earlier(here.first_waiting, at);
  if (now_.forged) {
    ++here.tainted;
    return;
  }
  flow.last_received = at;
  if (long_header(packet)) flow.last_long_arrival = at;
  const UnderWay* way = under_way(packet.id);
  // Where it came from is known of copies too.
  Passage& from = passage_between(packet.origin, machine.index());
  ++from.arrived.packets;
  from.arrived.bytes += packet.payload.size();
  if (long_header(packet)) from.last_long_header = at;
  if (!way) {
    from.last_copy = at;
    return;
  }
  now_.travelled = at - way->at;
  now_.sent_at = way->at;
  now_.bent = way->digest != digest(packet.payload);
  here.tainted += now_.bent;
  arrival_ = now_;
  flow.back = way->flow;
  Flow& sender = flows_[way->flow];
  sender.to = machine.index();
  if (now_.bent) ++sender.bent;
  const bool late = sender.travel.any() && *now_.travelled > sender.travel.least() + kLate;
  Passage& passage = passage_between(sender.machine, sender.to);
  passage.last_arrival = at;
  // A NAT gave the address to somebody else meanwhile: for the peer that it was meant for, it is lost.
  if (sender.meant != Flow::kNone && sender.meant != sender.to)
    passage_between(sender.machine, sender.meant).mishaps.add(way->at);
  if (now_.bent || late) passage.mishaps.add(way->at);
  sender.travel.add(at, *now_.travelled);
  settle(packet.id);
}

void Ground::dropped(Instant at, const net::Packet& packet, net::Drop, std::string_view) {
  now_ = {};
  const UnderWay* way = under_way(packet.id);
  if (!way) {  // a copy, or it never got out: there was no way
    const std::size_t flow = find(packet.origin, packet.destination);
    if (flow != Flow::kNone && flows_[flow].meant != Flow::kNone)
      passage_between(packet.origin, flows_[flow].meant).mishaps.add(at);
    return;
  }
  now_.flow = way->flow;
  now_.sent_at = way->at;
  Flow& flow = flows_[way->flow];
  ++flow.lost;
  // Behind a NAT that forgot, two sessions may believe in one address: it was the one's or the other's.
  // Where nothing arrived yet, but was answered to: whose packets came from there.
  const std::size_t from_there = flow.back != Flow::kNone ? flows_[flow.back].machine : Flow::kNone;
  const std::size_t to = flow.to != Flow::kNone ? flow.to : from_there;
  if (to != Flow::kNone) passage_between(flow.machine, to).mishaps.add(way->at);
  if (flow.meant != Flow::kNone && flow.meant != to)
    passage_between(flow.machine, flow.meant).mishaps.add(way->at);
  settle(packet.id);
}

Passage& Ground::passage_between(std::size_t from, std::size_t to) {
  auto& passages = known(from).passages;
  if (to >= passages.size()) passages.resize(to + 1);
  return passages[to];
}

const Passage& Ground::passage(std::size_t from, std::size_t to) const {
  static const Passage kNothing;
  const auto& passages = known(from).passages;
  return to < passages.size() ? passages[to] : kNothing;
}

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
