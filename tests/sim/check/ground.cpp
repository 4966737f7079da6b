// What packets do: flows, who is reached, what is lost on the way.
#include "sim/check/ground.hpp"

#include <algorithm>
#include <cstring>

#include "sim/host.hpp"
#include "wire/demux.hpp"
#include "wire/stun.hpp"

namespace pw::sim {
namespace {

/// A packet of an earlier second without an end is one whose end nobody told: the table does not grow for it.
constexpr std::size_t kMaxUnderWay = 1 << 20;

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

}  // namespace pw::sim
