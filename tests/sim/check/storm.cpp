#include "sim/check/storm.hpp"

#include "sim/check/quic_header.hpp"
#include "sim/world.hpp"

namespace pw::sim {
namespace {

/// What earns a packet may come some time before it: a retransmission after a loss, an acknowledgement at last.
constexpr std::array<std::int64_t, kWindows.size()> kEarnedWithin{4, 15, 59};

constexpr Duration kLongest = std::chrono::seconds{kWindows.back() + 1};

std::string window_text(std::size_t w) { return std::to_string(kWindows[w]) + " s"; }

double in_seconds(Duration d) { return std::max(to_seconds(d), 1e-3); }

}  // namespace

Storm::Meter& Storm::meter(std::size_t flow) {
  if (flow >= flows_.size()) flows_.resize(flow + 1);
  return flows_[flow];
}

/// What one end's own measurements cost each way.
double Storm::per_second(Instant at, const Host& host) {
  const probe::Options& o = host.membership.probe;
  const double asked = kPerProbe / in_seconds(o.datagram_interval) + kPerEcho / in_seconds(o.rtt_interval);
  Pace& pace = paces_[host.machine().index()];
  if (asked >= pace.per_second || at - pace.asked > kLongest) pace = {asked, at};
  return pace.per_second;
}

void Storm::sent(Instant at, const net::Machine& from, const net::Packet& packet) {
  const std::size_t flow = ground_.packet().flow;
  const Host* host = ground_.host_on(from.index());
  if (flow == Flow::kNone || !host) return;
  pay_handshake(at, flow, packet);
  if (meter(flow).packets.add(at, 1)) judge_flow(at, flow);
  if (nodes_[from.index()].packets.add(at, 1)) judge_node(at, *host);
}

/// What waited for a machine that did not run is answered within a moment.
bool Storm::caught_up(Instant at, const Host& host, const Host* other) const {
  const Instant from = at - kCatchingUp;
  return ground_.was_paused(host.machine().index(), from, at) ||
         (other && ground_.was_paused(other->machine().index(), from, at));
}

/// Measurements of bandwidth have a quota of their own; a server carries those of its clients.
bool Storm::measured(Instant from, const Host& host) const {
  const auto busy = [&](const Host& h) { return ground_.busy_until(h) + Ground::kBulkStuck >= from; };
  for (std::size_t i = 0; i < world_.size(); ++i)
    if (Ground::serves(host, world_.host(i)) && busy(world_.host(i))) return true;
  return busy(host);
}

void Storm::judge_flow(Instant at, std::size_t index) {
  const Flow& flow = ground_.flow(index);
  const Host& host = *ground_.host_on(flow.machine);
  const Host* other = flow.back == Flow::kNone ? nullptr : ground_.host_on(ground_.flow(flow.back).machine);
  double rate = per_second(at, host) + (other ? per_second(at, *other) : 0);
  if (other && (Ground::serves(host, *other) || Ground::serves(*other, host)))  // sessions of all with all go this way
    for (std::size_t i = 0; i < world_.size(); ++i) rate += kPerRelayed * 2 * per_second(at, world_.host(i));
  Meter& m = meter(index);
  m.earned.advance(at);
  for (std::size_t w = 0; w < kWindows.size(); ++w) {
    if (measured(at - std::chrono::seconds{kWindows[w] + 1 + m.packets.since_closed()}, host)) continue;
    if (w == 0 && caught_up(at, host, other)) continue;
    const double budget = kAtAnyTime + rate * static_cast<double>(kWindows[w]) + static_cast<double>(m.earned.last(kEarnedWithin[w] + m.packets.since_closed()));
    if (static_cast<double>(m.packets.closed()[w]) > budget)
      complain(host.name() + at_text(at) +
               std::to_string(m.packets.closed()[w]) + " packets to " + flow.remote.to_string() + " within " +
               window_text(w) + ", where " + std::to_string(budget) + " explain themselves");
  }
}

void Storm::judge_node(Instant at, const Host& host) {
  Meter& m = nodes_[host.machine().index()];
  m.earned.advance(at);
  double rate = 0;
  double peers = 0;
  for (std::size_t i = 0; i < world_.size(); ++i) {
    if (&world_.host(i) == &host) continue;
    rate += per_second(at, host) + per_second(at, world_.host(i));
    if (!world_.host(i).membership.servers.empty())
      rate += kPerRelayed * 2 * (per_second(at, host) + per_second(at, world_.host(i)));
    ++peers;
  }
  for (std::size_t w = 0; w < kWindows.size(); ++w) {
    if (measured(at - std::chrono::seconds{kWindows[w] + 1 + m.packets.since_closed()}, host)) continue;
    if (w == 0 && caught_up(at, host, nullptr)) continue;
    const double budget =
        (1 + peers) * kAtAnyTime + rate * static_cast<double>(kWindows[w]) + static_cast<double>(m.earned.last(kEarnedWithin[w] + m.packets.since_closed()));
    if (static_cast<double>(m.packets.closed()[w]) > budget)
      complain(host.name() + ": " + std::to_string(m.packets.closed()[w]) + " packets in all within " + window_text(w) +
               ", where " + std::to_string(budget) + " explain themselves");
  }
}

// ---- what earns packets

/// A connection that begins, seen by the ID that its end chose (RFC 9000 section 17.2).
void Storm::pay_handshake(Instant at, std::size_t flow, const net::Packet& packet) {
  const auto scid = source_id(packet.payload);
  if (!scid) return;
  Meter& m = meter(flow);
  if (std::ranges::find(m.handshakes, *scid) != m.handshakes.end()) return;
  m.handshakes[m.next++ % m.handshakes.size()] = *scid;
  earn(at, flow, kOfHandshake);
}

void Storm::earn(Instant at, std::size_t index, std::uint32_t packets) {
  if (index == Flow::kNone) return;
  const Flow& flow = ground_.flow(index);
  meter(index).earned.add(at, packets);
  nodes_[flow.machine].earned.add(at, packets);
  if (flow.back == Flow::kNone) return;
  meter(flow.back).earned.add(at, packets);
  nodes_[ground_.flow(flow.back).machine].earned.add(at, packets);
}

void Storm::earn_at_servers(Instant at, const Host& host, std::uint32_t packets) {
  for (const event::ServerSpec& server : host.membership.servers)
    for (const Host* s : ground_.hosts_of(server.id))
      for (const net::Interface* i : s->machine().interfaces())
        for (const IpAddress& ip : i->addresses)
          earn(at, ground_.find(host.machine().index(), {ip, Host::kPort}), packets);
}

void Storm::earn_relayed(Instant at, const Host& host, const PeerId& peer, std::uint32_t packets) {
  const auto each = static_cast<std::uint32_t>(kPerRelayed) * packets;
  earn_at_servers(at, host, each);
  for (const Host* other : ground_.hosts_of(peer)) earn_at_servers(at, *other, each);
}

/// To every address that the peer has, and back.
void Storm::earn(Instant at, const Host& host, const PeerId& peer, std::uint32_t packets) {
  earn_relayed(at, host, peer, packets);
  const std::size_t here = host.machine().index();
  earn(at, ground_.relation(host, peer).flow, packets);
  for (const Host* other : ground_.hosts_of(peer)) {
    for (const net::Interface* i : other->machine().interfaces())
      for (const IpAddress& ip : i->addresses)
        if (const std::size_t flow = ground_.find(here, {ip, Host::kPort}); flow != ground_.relation(host, peer).flow)
          earn(at, flow, packets);
  }
}

void Storm::arrived(Instant at, const net::Machine&, const net::Packet&) {
  const Now& packet = ground_.packet();
  if (packet.flow == Flow::kNone) return;
  if (packet.forged) return earn(at, packet.flow, kOfForged);
  const Flow& flow = ground_.flow(packet.flow);
  const bool copy = !packet.travelled;
  if (copy || packet.bent || *packet.travelled > ground_.flow(flow.back).travel.least() + Ground::kLate)
    earn(at, packet.flow, kOfMishap);
}

void Storm::dropped(Instant at, const net::Packet&, net::Drop, std::string_view) {
  earn(at, ground_.packet().flow, kOfMishap);
}

void Storm::recorded(Instant at, const Host& host, const event::Record& record) {
  const auto key = [&](const PeerId& peer) { return std::pair{host.machine().index(), ground_.index_of(peer)}; };
  if (const auto* dial = std::get_if<event::DialStarted>(&record.event)) {
    Dials& dials = dials_[key(dial->peer)];
    earn_relayed(at, host, dial->peer, kOfHandshake);
    dials.started.add(at, 1);
    dials.allowed.advance(at);
    const auto started = dials.started.sums();
    const auto allowed = dials.allowed.sums();
    for (std::size_t w = 0; w < kWindows.size(); ++w)
      if (started[w] > kMostDials[w] + allowed[w])
        complain(host.name() + at_text(at) +
                 std::to_string(started[w]) + " dials of " + dial->peer.to_short() + " within " + window_text(w));
  } else if (const auto* health = std::get_if<event::PathHealthChanged>(&record.event)) {
    if (health->to == event::PathHealth::suspect) earn(at, host, health->peer, kOfSuspicion);
  } else if (const auto* changed = std::get_if<event::PathChanged>(&record.event)) {
    earn(at, host, changed->peer, kOfTakeover);
  } else if (const auto* ended = std::get_if<event::SessionEnded>(&record.event)) {
    earn(at, host, ended->peer, kOfEnd);
    dials_[key(ended->peer)].allowed.add(at, kDialsOfNewStart);
  } else if (const auto* rejected = std::get_if<event::PacketRejected>(&record.event)) {
    earn(at, ground_.find(host.machine().index(), rejected->from), kOfRejected);
  } else if (const auto* added = std::get_if<event::PeerAdded>(&record.event)) {
    dials_[key(added->peer)].allowed.add(at, kDialsOfNewStart);
  } else if (const auto* failed = std::get_if<event::ConnectionFailed>(&record.event)) {
    if (failed->peer) earn(at, host, *failed->peer, kOfEnd);
  }
}

void Storm::commanded(Instant at, const Host& host, event::Ticket, const event::Command& command) {
  if (const auto* ping = std::get_if<event::Ping>(&command)) earn(at, host, ping->peer, kOfPing);
  if (const auto* connect = std::get_if<event::Connect>(&command))
    dials_[{host.machine().index(), ground_.index_of(connect->peer)}].allowed.add(at, kDialsOfNewStart);
}

}  // namespace pw::sim
