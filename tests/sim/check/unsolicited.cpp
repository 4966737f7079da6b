#include "sim/check/unsolicited.hpp"

#include "peer/context.hpp"
#include "sim/check/amplification.hpp"
#include "sim/world.hpp"

namespace pw::sim {

Unsolicited::Target& Unsolicited::target(std::size_t flow) {
  if (flow >= targets_.size()) targets_.resize(flow + 1);
  return targets_[flow];
}

void Unsolicited::started(Instant, const Host& host) {
  const std::size_t machine = host.machine().index();
  nodes_[machine] = {};
  for (std::size_t i = 0; i < targets_.size(); ++i)
    if (ground_.flow(i).machine == machine) targets_[i] = {};
}

void Unsolicited::arrived(Instant, const net::Machine&, const net::Packet&) {
  // Forged ones too: a node can't know, and what it answers is judged as amplification.
  if (ground_.packet().flow != Flow::kNone) target(ground_.packet().flow).answered = true;
}

/// Several peers may share an address: mistakes, NATs with one inner network.
void Unsolicited::attribute(const Host& host, const SocketAddress& address, Target& t) const {
  t.attributed = true;
  std::size_t peers = 0;
  const auto look_at = [&](const PeerId& id, const std::vector<HostPort>& addresses) {
    for (const HostPort& a : addresses) {
      const auto ip = IpAddress::parse(a.host);
      const auto known = world_.names.known.find(a.host);
      const bool by_name = known != world_.names.known.end() &&
                           std::ranges::find(known->second, address.ip) != known->second.end();
      if (a.port != address.port || !(ip ? *ip == address.ip : by_name)) continue;
      t.peer = ground_.index_of(id);
      ++peers;
    }
  };
  for (const event::PeerSpec& peer : host.membership.peers) look_at(peer.id, peer.addresses);
  for (const event::ServerSpec& server : host.membership.servers) look_at(server.id, server.addresses);
  // And where peers say that they are: behind other NATs the same address is another's.
  std::size_t there = 0;
  for (std::size_t i = 0; i < world_.size(); ++i)
    for (const net::Interface* plug : world_.host(i).machine().interfaces())
      there += address.port == Host::kPort && world_.host(i).id() != host.id() && plug->has(address.ip);
  t.peers = std::max({t.peers, peers, there});
}

void Unsolicited::sent(Instant at, const net::Machine& from, const net::Packet& packet) {
  const std::size_t flow = ground_.packet().flow;
  const Host* host = ground_.host_on(from.index());
  if (flow == Flow::kNone || !host) return;
  Target& t = target(flow);
  if (t.answered) return;
  if (!t.attributed) attribute(*host, packet.destination, t);
  Node& node = nodes_[from.index()];
  const bool check = Amplification::is_check(packet);
  const std::size_t kind = check ? 1 : 0;
  const Cap& cap = check ? kChecks : kHandshake;
  const bool searched = ground_.searched(*host) > at - std::chrono::seconds{kWindows.back() + 2};
  const Cap& of_peer = !check ? kHandshake : searched ? kSearch : kChecksOfPeer;
  const auto times = static_cast<double>(t.peers);
  if (t.packets[kind].add(at, 1)) {
    judge(at, *host, t.packets[kind], cap, node.earned, times, packet.destination.to_string());
    attribute(*host, packet.destination, t);  // configurations change
  }
  Rate& peer = node.peers[t.peer][kind];
  const auto candidates = static_cast<double>(host->options.quic.max_dial_candidates);
  const double addresses = check ? 1 : candidates;
  if (peer.add(at, 1)) judge(at, *host, peer, of_peer, node.earned, times * addresses, "one peer");
  Rate& all = node.packets[kind];
  if (all.add(at, 1)) {
    const auto peers = static_cast<double>(std::max(node.known, host->membership.peers.size()) + host->membership.servers.size());
    judge(at, *host, all, of_peer, node.earned, (1 + peers) * addresses, "all");
    const double dials = peer::kDialBurst + peer::kDialsPerSecond;
    if (static_cast<double>(all.closed()[0]) > dials * candidates * kFlightOfDial + peers * candidates * 2)
      complain(host->name() + ": " + std::to_string(all.closed()[0]) + " packets in a second to addresses that never answered");
  }
}

void Unsolicited::judge(Instant at, const Host& host, Rate& rate, const Cap& of, Rate& earned, double times,
                        const std::string& to) {
  earned.advance(at);
  for (std::size_t w = 0; w < kWindows.size(); ++w) {
    const auto extra = static_cast<double>(earned.last(kWindows[w] + rate.since_closed() + 1));
    const double cap = times * static_cast<double>(of.packets[w]) + extra;
    if (static_cast<double>(rate.closed()[w]) > cap)
      complain(host.name() + at_text(at) +
               std::to_string(rate.closed()[w]) + " packets within " + std::to_string(kWindows[w]) + " s to " + to +
               ", which never answered; " + of.what + " explain " + std::to_string(cap));
  }
}

void Unsolicited::recorded(Instant at, const Host& host, const event::Record& record) {
  Node& node = nodes_[host.machine().index()];
  if (std::holds_alternative<event::PeerAdded>(record.event)) {
    ++node.known;
    node.earned.add(at, kOfNewStart);
  } else if (const auto* end = std::get_if<event::DialEnded>(&record.event)) {
    // A dial that was cancelled, or whose other address answered, makes way for another before its time.
    if (end->error != event::ErrorType::timeout) node.earned.add(at, kOfNewStart);
  } else if (const auto* down = std::get_if<event::ServiceDown>(&record.event)) {
    if (down->error != event::ErrorType::timeout) node.earned.add(at, kOfNewStart);
  } else if (const auto* failed = std::get_if<event::ConnectionFailed>(&record.event)) {
    // Another key answered at one of the addresses: the dial goes on with a handshake to the others.
    if (failed->error == event::ErrorType::tls && failed->peer) node.earned.add(at, kOfNewStart);
  }
}

void Unsolicited::commanded(Instant at, const Host& host, event::Ticket, const event::Command& command) {
  if (std::holds_alternative<event::Connect>(command)) nodes_[host.machine().index()].earned.add(at, kOfNewStart);
}

}  // namespace pw::sim
