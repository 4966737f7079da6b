#include "sim/check/amplification.hpp"

#include <algorithm>

#include "sim/check/quic_header.hpp"
#include "sim/world.hpp"
#include "wire/stun.hpp"

namespace pw::sim {

Amplification::Account& Amplification::of_flow(std::size_t flow) {
  if (flow >= flows_.size()) flows_.resize(flow + 1);
  return flows_[flow];
}

/// A new instance knows nobody, and nobody has proved anything to it.
void Amplification::started(Instant, const Host& host) {
  for (std::size_t i = 0; i < flows_.size(); ++i)
    if (ground_.flow(i).machine == host.machine().index()) flows_[i] = {};
  std::erase_if(connections_,
                [&](const auto& c) { return ground_.flow(c.first.flow).machine == host.machine().index(); });
}

void Amplification::prove(Account& account) const {
  const Now& packet = ground_.packet();
  if (packet.forged || !account.answered) return;
  const bool copy = !packet.travelled;  // of a packet whose way has ended: when it was sent is not known any more
  if (copy || packet.sent_at >= *account.answered) account.proved = true;
}

void Amplification::forget_connections() {
  connections_.clear();
  ours_.clear();
  brought_.clear();
}

/// What a packet brings to the connections that it belongs to.
void Amplification::credit(std::size_t flow, const net::Packet& packet) {
  const auto ids = connection_ids(packet.payload);
  if (!ids) return;
  if (std::max(connections_.size(), brought_.size()) >= kMaxConnections) forget_connections();
  brought_[{flow, ids->destination}] += packet.payload.size();
  Account& one = connections_[{flow, ids->source}];
  add_id(one, ids->destination);
  // It answers what we began, or knows the ID that we chose when we answered: whoever has that address saw it.
  if (ours_.contains({flow, ids->destination})) one.proved = true;
  if (!one.proved) prove(one);
}

void Amplification::add_id(Account& connection, std::uint64_t id) {
  if (connection.ids.size() < kIds && std::ranges::find(connection.ids, id) == connection.ids.end())
    connection.ids.push_back(id);
}

std::uint64_t Amplification::brought(std::size_t flow, const Account& connection) const {
  std::uint64_t sum = 0;
  for (const std::uint64_t id : connection.ids)
    if (const auto bytes = brought_.find({flow, id}); bytes != brought_.end()) sum += bytes->second;
  return sum;
}

void Amplification::arrived(Instant at, const net::Machine&, const net::Packet& packet) {
  const Now& now = ground_.packet();
  if (now.flow == Flow::kNone) return;
  Account& all = of_flow(now.flow);
  all.received += packet.payload.size();
  if (!all.proved) prove(all);
  credit(now.flow, packet);
  // What arrives here may be an answer of the machine at the other end: from now on we may know of it.
  if (now.forged || !now.travelled) return;
  const std::size_t back = ground_.flow(now.flow).back;
  if (Account& theirs = of_flow(back); !theirs.answered) theirs.answered = at;
  const auto ids = connection_ids(packet.payload);
  if (!ids) return;
  if (const auto theirs = connections_.find({back, ids->destination}); theirs != connections_.end())
    if (!theirs->second.answered) theirs->second.answered = at;
}

void Amplification::sent(Instant at, const net::Machine& from, const net::Packet& packet) {
  const std::size_t index = ground_.packet().flow;
  const Host* host = ground_.host_on(from.index());
  if (index == Flow::kNone || !host) return;
  const Flow& flow = ground_.flow(index);
  if (const auto ids = connection_ids(packet.payload)) {
    ours_.insert({index, ids->source});
    const auto one = connections_.find({index, ids->destination});
    if (one != connections_.end() && !one->second.proved) {
      one->second.sent += packet.payload.size();
      add_id(one->second, ids->source);
      one->second.received = brought(index, one->second);
      judge(at, *host, flow, one->second, "a connection");
    }
  }
  Account& all = of_flow(index);
  if (all.proved || all.dialled) return;
  if (is_knock(packet) && is_proved(from.index(), packet.destination.ip)) return;
  if (is_check(packet)) {
    if (!all.checks_since) all.checks_since = at;
    all.checks += packet.payload.size();
    const auto ordered = kCheckSize * (kCandidate + static_cast<std::uint64_t>((at - *all.checks_since) / std::chrono::seconds{1}));
    if (all.checks <= ordered + kMost * all.received) return;
  }
  all.sent += packet.payload.size();
  if (all.sent <= kMost * all.received) return;
  all.dialled = dials(*host, packet.destination);
  if (!all.dialled) judge(at, *host, flow, all, "all");
}

void Amplification::judge(Instant at, const Host& host, const Flow& flow, const Account& account, const char* what) {
  if (account.sent <= kMost * account.received) return;
  complain(host.name() + at_text(at) +
           std::to_string(account.sent) + " bytes to " + flow.remote.to_string() + ", which proved nothing, for " +
           std::to_string(account.received) + " (of " + what + ")");
}

bool Amplification::is_check(const net::Packet& packet) {
  const auto decoded = wire::stun::decode(packet.payload);
  return decoded && decoded->message.kind == wire::stun::Class::request && decoded->message.username;
}

bool Amplification::is_knock(const net::Packet& packet) {
  const auto decoded = wire::stun::decode(packet.payload);
  return decoded && decoded->message.kind == wire::stun::Class::indication;
}

bool Amplification::is_proved(std::size_t machine, const IpAddress& address) const {
  for (std::size_t i = 0; i < flows_.size(); ++i)
    if (flows_[i].proved && ground_.flow(i).machine == machine && ground_.flow(i).remote.ip == address) return true;
  return false;
}

/// What it dials is judged as unsolicited.
bool Amplification::dials(const Host& host, const SocketAddress& address) const {
  // Whoever is or was in somebody's configuration: reloads and commands change it too often to follow.
  for (const event::PeerSpec& peer : host.membership.peers)
    for (const HostPort& a : peer.addresses) {
      const auto ip = IpAddress::parse(a.host);
      if (a.port == address.port && (!ip || *ip == address.ip)) return true;
    }
  for (const event::ServerSpec& server : host.membership.servers)
    for (const HostPort& a : server.addresses)
      if (IpAddress::parse(a.host) == Result<IpAddress>{address.ip}) return true;
  for (std::size_t i = 0; i < world_.size(); ++i)
    for (const net::Interface* plug : world_.host(i).machine().interfaces())
      if (plug->has(address.ip)) return true;
  for (const auto& [name, addresses] : world_.names.known)
    if (std::ranges::find(addresses, address.ip) != addresses.end()) return true;
  return false;
}

}  // namespace pw::sim
