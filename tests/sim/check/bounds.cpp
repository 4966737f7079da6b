#include "sim/check/bounds.hpp"

#include <set>

#include "peer/table.hpp"
#include "sim/world.hpp"

namespace pw::sim {

using event::SessionState;

void Bounds::started(Instant, const Host& host) { daemons_[host.machine().index()] = {}; }

void Bounds::turn(Daemon& daemon, Instant at) {
  const std::int64_t second = at.time_since_epoch() / std::chrono::seconds{1};
  if (second == daemon.second) return;
  daemon.second = second;
  daemon.events = daemon.allowed = 0;
}

void Bounds::arrived(Instant at, const net::Machine& machine, const net::Packet&) {
  const auto daemon = daemons_.find(machine.index());
  if (daemon == daemons_.end()) return;
  turn(daemon->second, at);
  daemon->second.allowed += kEventsPerPacket;
}

void Bounds::commanded(Instant at, const Host& host, event::Ticket, const event::Command& command) {
  Daemon& daemon = daemons_[host.machine().index()];
  turn(daemon, at);
  daemon.allowed += kEventsPerCommand;
  if (const auto* connect = std::get_if<event::Connect>(&command)) daemon.invited += !connect->addresses.empty();
}

void Bounds::recorded(Instant at, const Host& host, const event::Record& record) {
  Daemon& daemon = daemons_[host.machine().index()];
  turn(daemon, at);
  if (std::holds_alternative<event::PeerAdded>(record.event)) ++daemon.peers;
  if (std::holds_alternative<event::PeerRemoved>(record.event)) --daemon.peers, daemon.allowed += kEventsPerPeer;
  if (std::holds_alternative<event::DialStarted>(record.event)) ++daemon.dials;
  if (std::holds_alternative<event::DialEnded>(record.event)) --daemon.dials;
  ++daemon.events;
  // What waited while the machine did not run comes in one second.
  const std::size_t machine = host.machine().index();
  if (daemon.events <= kEventsAtAnyTime + kEventsPerPeer * daemon.peers + daemon.allowed) return;
  if (ground_.was_paused(machine, at - 1s, at) || ground_.slow(machine)) return;
  complain(host.name() + ": " + std::to_string(daemon.events) + " events within a second, the last " +
           std::string{event::name_of(record.event)});
}

void Bounds::look(const World& world) {
  for (std::size_t i = 0; i < world.size(); ++i)
    if (world.host(i).running()) check(world, world.host(i), daemons_[world.host(i).machine().index()]);

  const auto hosts = static_cast<double>(world.size());
  const double seconds = to_seconds(world.now() - looked_);
  const std::uint64_t packets = world.net.packets_sent() + world.net.packets_arrived();
  const double allowed = kTimersAtAnyTime + kTimersPerPacket * static_cast<double>(packets - packets_) +
                         seconds * hosts * (kTimersPerHostSecond + kTimersPerPairSecond * hosts);
  if (static_cast<double>(world.net.timers_fired() - timers_) > allowed)
    complain("timers spin: " + std::to_string(world.net.timers_fired() - timers_) + " within " +
             std::to_string(seconds) + " s and " + std::to_string(packets - packets_) + " packets");
  looked_ = world.now();
  timers_ = world.net.timers_fired();
  packets_ = packets;

  if (ground_.under_way() > kUnderWayPerHost * world.size() + kUnderWayPerFlow * ground_.flows())
    complain(std::to_string(ground_.under_way()) + " packets are under way");
}

std::string Bounds::leak(const event::NodeSnapshot& s, const std::map<Via, SocketAddress>& open, bool searches) {
  std::set<Via> needed;
  bool leaving = false;
  for (const auto& p : s.peers) {
    leaving |= p.state == SessionState::disconnecting;  // its goodbye goes by the path that it had
    for (const auto& path : p.paths)
      if (path.address.via != Via::own && !path.address.relayed()) needed.insert(path.address.via);
  }
  for (const Via via : needed)
    if (!open.contains(via)) return "a path goes by a socket that is closed";
  if (open.size() > s.further_sockets + kMeasuringSockets)
    return std::to_string(open.size()) + " further sockets are open, and the core knows " + std::to_string(s.further_sockets);
  if (s.further_sockets <= needed.size() || searches || leaving) return {};
  return std::to_string(s.further_sockets) + " further sockets for " + std::to_string(needed.size()) + " paths";
}

void Bounds::check(const World& world, const Host& host, Daemon& daemon) {
  const auto s = host.snapshot();
  const auto& o = host.options;
  auto wrong = [&](const std::string& what) { complain(host.name() + ": " + what); };
  if (s.connections > o.quic.max_connections) wrong(std::to_string(s.connections) + " connections");
  if (s.half_open > o.quic.max_half_open) wrong(std::to_string(s.half_open) + " half-open connections");
  if (const auto lost = leak(s, host.further(), ground_.searched(host) >= world.now()); !lost.empty()) wrong(lost);
  if (s.half_open > s.connections) wrong("more connections are half-open than there are");
  std::size_t visitors = 0;
  std::size_t visits = 0;
  std::size_t told = 0;  // by a bootstrap
  std::size_t sessions = 0;
  std::size_t ending = 0;
  for (const auto& p : s.peers) {
    const bool up = p.state == SessionState::connected;
    sessions += up;
    ending += p.state == SessionState::disconnecting;
    told += p.method == event::DiscoveryMethod::bootstrap;
    if (p.method != event::DiscoveryMethod::inbound) continue;
    ++visitors;
    visits += up;
    const bool idle = p.state == SessionState::disconnected || p.state == SessionState::failed;
    const Duration paused = ground_.paused(host.machine().index(), p.state_since, world.now());
    if (idle && !p.held && s.at - p.state_since > o.peer.retention + paused + kSlack)
      wrong("a visitor is remembered for longer than its time (" + p.id.to_short() + ")");
  }
  if (visitors > peer::Table::kMaxVisitors) wrong(std::to_string(visitors) + " visitors are known");
  if (visits > host.membership.max_sessions) wrong(std::to_string(visits) + " visitors have sessions");
  if (told > host.membership.max_sessions) wrong(std::to_string(told) + " peers are known by a bootstrap's word");
  // Those that a reload removed may be on their way out; who was configured before it is not counted.
  const std::size_t listed = s.peers.size() - visitors - told;
  if (listed > host.membership.peers.size() + daemon.invited + ending + sessions)
    wrong(std::to_string(listed) + " peers are known that nobody listed");

  const bool explained =
      static_cast<std::ptrdiff_t>(s.connections) <=
      static_cast<std::ptrdiff_t>(sessions + s.half_open + ending + s.servers.size() +
                                  (s.serving ? s.serving->stats.all_clients() : 0)) +
          daemon.dials * (s.servers.empty() ? 1 : 2);
  if (explained)
    daemon.unexplained_since.reset();
  else if (!daemon.unexplained_since)
    daemon.unexplained_since = world.now();
  else if (world.now() - *daemon.unexplained_since > kUnexplained)
    wrong(std::to_string(s.connections) + " connections for " + std::to_string(sessions) + " sessions");
}

}  // namespace pw::sim
