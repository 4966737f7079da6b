#include "sim/check/legality.hpp"

#include <algorithm>

#include "mesh/pipes.hpp"
#include "peer/state.hpp"
#include "probe/starvation.hpp"
#include "sim/world.hpp"

namespace pw::sim {

using event::CloseReason;
using event::DialResult;
using event::PathHealth;
using event::PathKind;
using event::SessionState;

namespace {

template <class E, std::size_t I = 0>
constexpr std::size_t kIndex = std::is_same_v<std::variant_alternative_t<I, event::Event>, E> ? I : kIndex<E, I + 1>;
template <class E>
constexpr std::size_t kIndex<E, std::variant_size_v<event::Event>> = std::variant_size_v<event::Event>;

bool fits(PathKind kind, const PathAddress& path) {
  if (path.relayed()) return kind == PathKind::relay_quic || kind == PathKind::relay_websocket;
  return kind == (path.remote.ip.family() == Family::v4 ? PathKind::direct_v4 : PathKind::direct_v6);
}

bool ends_broken(CloseReason reason) {
  switch (reason) {
    case CloseReason::timeout:
    case CloseReason::reset:
    case CloseReason::protocol:
    case CloseReason::error:
      return true;
    case CloseReason::peer_shutdown:
    case CloseReason::local_shutdown:
    case CloseReason::operator_request:
    case CloseReason::peer_request:
    case CloseReason::peer_removed:
    case CloseReason::replaced:
      return false;
  }
  return false;
}

bool legal(PathHealth from, PathHealth to) {
  if (to == PathHealth::proved) return from != PathHealth::proved;
  if (to == PathHealth::suspect) return from == PathHealth::proved;
  return from == PathHealth::suspect;
}

}  // namespace

/// What is wrong with one more event; empty if nothing is.
struct Legality::Judge {
  Daemon& daemon;
  const Host& host;
  Instant at;

  Ledger& of(const PeerId& peer) { return daemon.peers[peer]; }
  void owe(std::size_t event, const PeerId& peer) { daemon.owed = Owed{event, peer, at}; }

  // ---- who is there
  std::string operator()(const event::PeerAdded& e) {
    Ledger& peer = of(e.peer);
    if (peer.known) return "a peer was added twice";
    if (daemon.stopping) return "a peer was added by a daemon that stops";
    if (e.peer == host.id()) return "a daemon took itself for a peer";
    peer = {};
    peer.known = true;
    return {};
  }
  std::string operator()(const event::PeerRemoved& e) {
    const Ledger& peer = of(e.peer);
    if (peer.session_since || peer.dial_since) return "a peer was removed with its session or dial";
    if (peer.state != SessionState::disconnected && peer.state != SessionState::failed)
      return "a peer was removed while " + std::string{pw::name(peer.state)};
    daemon.peers.erase(e.peer);
    return {};
  }
  std::string operator()(const event::DiscoveryFailed& e) {
    return of(e.peer).dial_since ? "" : "a name was looked up without a dial";
  }

  // ---- sessions
  std::string operator()(const event::StateChanged& e) {
    Ledger& peer = of(e.peer);
    if (e.from != peer.state) return "a transition does not start where the last one ended";
    if (!peer::legal(e.from, e.to))
      return "illegal transition " + std::string{pw::name(e.from)} + " → " + std::string{pw::name(e.to)};
    if (e.from == SessionState::connected && peer.session_since) return "a session's state ended before the session";
    peer.state = e.to;
    if (e.to == SessionState::connected) owe(kIndex<event::SessionEstablished>, e.peer);
    return {};
  }
  std::string operator()(const event::DialStarted& e) {
    Ledger& peer = of(e.peer);
    if (peer.dial_since) return "two dials at once to one peer";
    if (daemon.stopping) return "a daemon that stops dials";
    if (peer.state != SessionState::connecting) return "a dial while " + std::string{pw::name(peer.state)};
    if (e.addresses == 0 && host.membership.servers.empty()) return "a dial without an address";
    peer.dial_since = at;
    return {};
  }
  std::string operator()(const event::BreakerChanged&) { return {}; }
  std::string operator()(const event::DialEnded& e) {
    Ledger& peer = of(e.peer);
    if (!peer.dial_since) return "a dial ended that never started";
    if (e.took < Duration{} || e.took > at - *peer.dial_since) return "a dial took longer than it lasted";
    if (e.retry_in < Duration{}) return "a dial is to be repeated in the past";
    if (e.result != DialResult::failed && e.retry_in > Duration{}) return "a dial that did not fail is repeated";
    if (e.result == DialResult::failed && daemon.failed != e.error) return "a dial failed without its error";
    peer.dial_since.reset();
    if (e.result == DialResult::success) daemon.succeeded = e.peer;
    return {};
  }
  std::string operator()(const event::ConnectionFailed& e) {
    daemon.failed = e.error;
    return {};
  }
  std::string operator()(const event::AdmissionRefused& e) {
    owe(kIndex<event::ConnectionFailed>, e.peer);
    return {};
  }
  std::string operator()(const event::SessionEstablished& e) {
    Ledger& peer = of(e.peer);
    if (peer.session_since) return "a session was established twice";
    if (peer.state != SessionState::connected) return "a session was established without its state";
    if (peer.dial_since) return "a dial goes on although the session is up";
    if (e.since_first_attempt < Duration{}) return "a session was up before its first attempt";
    if (!fits(e.path, e.address)) return "a session's path is of another kind than its address";
    if (e.dialled != (daemon.succeeded == e.peer)) return "a session was dialled without a dial, or the other way round";
    daemon.succeeded.reset();
    peer.session_since = at;
    peer.path = e.path;
    peer.in_use = e.address;
    peer.paths = {{e.address, PathHealth::proved}};
    peer.arrived_forward = peer.expected_back = 0;
    return {};
  }
  std::string operator()(const event::SessionEnded& e) {
    Ledger& peer = of(e.peer);
    if (!peer.session_since) return "a session ended that never was";
    if (e.lasted < Duration{} || e.lasted > at - *peer.session_since) return "a session lasted longer than it was";
    if ((e.reason == CloseReason::local_shutdown) != daemon.stopping) return "local_shutdown is told without shutdown";
    if (e.reason == CloseReason::timeout && peer.path == PathKind::none && alive(peer))
      return "a session timed out with a live path that carries nothing";
    if (ends_broken(e.reason) && !daemon.failed) return "a session broke without an error";
    peer.session_since.reset();
    peer.path = PathKind::none;
    peer.paths.clear();
    owe(kIndex<event::StateChanged>, e.peer);
    return {};
  }
  std::string operator()(const event::PeerIdentified& e) {
    Ledger& peer = of(e.peer);
    if (!peer.session_since) return "a peer was identified without a session";
    if (e.restarted != (peer.instance && *peer.instance != e.instance)) return "restarted is told of the same instance";
    peer.instance = e.instance;
    // Also when a newer connection took the place of the session's: its path is proved by its handshake.
    peer.arrived_forward = peer.expected_back = 0;
    return {};
  }
  std::string operator()(const event::DuplicateIdentity& e) {
    return of(e.peer).instance ? "" : "an identity is duplicated that was never seen";
  }

  // ---- paths
  std::string operator()(const event::PathHealthChanged& e) {
    Ledger& peer = of(e.peer);
    if (!peer.session_since) return "a path's health changed without a session";
    const auto path = peer.paths.find(e.address);
    if (path == peer.paths.end()) return "the health of a path that is not known";
    if (e.from != path->second) return "a path's health does not start where it was";
    if (!legal(e.from, e.to))
      return "a path went from " + std::string{pw::name(e.from)} + " to " + std::string{pw::name(e.to)};
    if (!fits(e.path, e.address)) return "a path is of another kind than its address";
    if (e.silence < Duration{}) return "a path was silent for less than no time";
    path->second = e.to;
    const bool only = peer.paths.size() == 1;
    if (only && (e.to == PathHealth::dead || e.from == PathHealth::dead)) owe(kIndex<event::PathChanged>, e.peer);
    return {};
  }
  std::string operator()(const event::PathProved& e) {
    Ledger& peer = of(e.peer);
    if (!peer.session_since) return "a path was proved without a session";
    if (!fits(e.path, e.address)) return "a path is of another kind than its address";
    return peer.paths.emplace(e.address, PathHealth::proved).second ? "" : "a path was proved that is known";
  }
  std::string operator()(const event::PathMoved& e) {
    Ledger& peer = of(e.peer);
    if (e.from == e.to || e.from.remote != e.to.remote) return "a path moved to itself, or to another peer's address";
    auto path = peer.paths.extract(e.from);
    if (!path) return "a path moved that was not known";
    path.key() = e.to;
    if (e.from == peer.in_use && peer.path != PathKind::none) owe(kIndex<event::PathChanged>, e.peer);
    return peer.paths.insert(std::move(path)).inserted ? "" : "a path moved onto another";
  }
  std::string operator()(const event::PathForgotten& e) {
    Ledger& peer = of(e.peer);
    if (e.why == event::PathEnd::unanswered) return peer.paths.contains(e.address) ? "a path is given up that is known" : "";
    if (peer.paths.erase(e.address) == 0) return "a path was forgotten that was not known";
    const bool in_use = e.address == peer.in_use && peer.path != PathKind::none;
    return in_use && e.why != event::PathEnd::closed ? "the path in use was forgotten" : "";
  }
  std::string operator()(const event::PathSizeJudged& e) {
    if (!of(e.peer).paths.contains(e.address)) return "the size of a path that is not known";
    return e.size == event::PathSize::unknown ? "a judgement that judges nothing" : "";
  }
  std::string operator()(const event::CheckRefused& e) {
    return of(e.peer).session_since ? "" : "a check was refused without a session";
  }
  std::string operator()(const event::CandidatesRefused& e) { return e.count > 0 ? "" : "a refusal of nothing"; }
  std::string operator()(const event::TraversalStarted&) { return {}; }
  std::string operator()(const event::TraversalEnded&) { return {}; }
  std::string operator()(const event::PathFailedOver& e) {
    if (!of(e.peer).session_since) return "a failover without a session";
    return e.to == of(e.peer).path && e.from != PathKind::none ? "" : "a failover to another path than the one in use";
  }
  std::string operator()(const event::PathChanged& e) {
    Ledger& peer = of(e.peer);
    if (!peer.session_since) return "a path changed without a session";
    if (e.from != peer.path) return "a change of path does not start where the last one ended";
    if (e.to != PathKind::none && !fits(e.to, e.address)) return "packets go by another kind of path than their address";
    if (e.from == e.to && e.address == peer.in_use) return "a path changed to itself";
    const bool lost = e.reason == event::PathChangeReason::path_lost ||
                      (e.reason == event::PathChangeReason::relay_closed && e.from != PathKind::direct_v4 && e.from != PathKind::direct_v6);
    if (e.to == PathKind::none && !lost) return "no path is left, but none was lost";
    peer.path = e.to;
    if (e.to == PathKind::none) return alive(peer) ? "no path is used although one is alive" : "";
    peer.in_use = e.address;
    const auto path = peer.paths.find(e.address);
    if (path == peer.paths.end()) return "a path is used that is not known";
    return path->second == PathHealth::dead ? "a dead path is used" : "";
  }
  static bool alive(const Ledger& peer) {
    return std::ranges::any_of(peer.paths, [](const auto& p) { return p.second != PathHealth::dead; });
  }

  // ---- bootstraps and relays
  std::string operator()(const event::ServiceUp& e) {
    if (!configured(e.server)) return "a server is up that nobody configured";
    return daemon.servers.insert(e.server).second ? "" : "a server came up twice";
  }
  std::string operator()(const event::ServiceDown& e) {
    return (daemon.servers.erase(e.server) != 0) == e.was_up ? "" : "a server was lost that was not up, or the other way round";
  }
  std::string operator()(const event::AddressObserved& e) {
    return daemon.servers.contains(e.server) ? "" : "a server that is not up observed an address";
  }
  std::string operator()(const event::ServiceMoved& e) {
    return daemon.servers.contains(e.server) ? "" : "a server that is not up was come to by another way";
  }
  std::string operator()(const event::PipeRefused& e) {
    if (e.reason != event::PipeRefusal::unused) return "the core told what only its driver knows";
    const auto brought = host.brought_from(e.from);
    if (!brought) return "a pipe was refused that is not there";
    if (host.machine().now() < brought->since + mesh::Pipes::kPatience) return "a pipe was refused before its time";
    return brought->connected ? "a pipe was refused that a client had come by" : "";
  }
  std::string operator()(const event::InboundChannelClosed& e) {
    return daemon.servers.contains(e.server) ? "" : "a channel was closed at a server that is not up";
  }
  std::string operator()(const event::ServiceRequested& e) {
    if (e.took < Duration{}) return "a request took less than no time";
    return configured(e.server) || daemon.servers.contains(e.server) ? "" : "a request to a server that nobody configured";
  }
  bool configured(const PeerId& server) const {
    return std::ranges::any_of(host.membership.servers, [&](const auto& s) { return s.id == server; });
  }

  // ---- measurements
  std::string measured(const PeerId& id, PathKind path, Duration rtt) {
    const Ledger& peer = of(id);
    if (!peer.session_since) return "a measurement without a session";
    if (path == PathKind::none) return "a measurement without a path";
    return rtt < Duration{} ? "a round trip that took less than no time" : "";  // on a link without delay
  }
  std::string operator()(const event::EchoMeasured& e) { return measured(e.peer, e.path, e.rtt); }
  std::string operator()(const event::ProbeMeasured& e) { return measured(e.peer, e.path, e.rtt); }
  std::string operator()(const event::PathLatency& e) {
    const auto& paths = of(e.peer).paths;
    if (std::ranges::none_of(paths, [](const auto& p) { return p.second == PathHealth::proved; }))
      return "the latency of a path that is not proved";
    return measured(e.peer, e.path, e.rtt);
  }
  std::string operator()(const event::ProbesAccounted& e) {
    Ledger& peer = of(e.peer);
    if (!peer.session_since) return "probes were accounted without a session";
    if (e.lost > e.expected) return "more probes were lost than expected";
    if (e.expected == 0 && e.suspect == 0) return "no probe was accounted";
    if (e.direction == event::ProbeDirection::forward) {
      peer.arrived_forward += e.expected - e.lost;
      if (e.expected > e.lost) owe(kIndex<event::ProbesAccounted>, e.peer);
      return {};
    }
    // The way back is that of receipts: of as many probes as got there.
    peer.expected_back += e.expected;
    if (e.suspect != 0) return "suspect probes were told twice";
    return peer.expected_back == peer.arrived_forward ? "" : "receipts are not expected of the probes that arrived";
  }
  std::string operator()(const event::BandwidthMeasured& e) {
    if (!of(e.peer).session_since) return "a bandwidth was measured without a session";
    const double rate = static_cast<double>(e.bytes) / to_seconds(e.elapsed);
    if (e.elapsed <= Duration{} || e.bytes_per_second < rate * 0.999 || e.bytes_per_second > rate * 1.001)
      return "a bandwidth is not its bytes over its time";
    return {};
  }

  // ---- this node
  std::string operator()(const event::PacketRejected&) { return {}; }
  std::string operator()(const event::BudgetDenied& e) { return e.count > 0 ? "" : "no budget held anything back"; }
  std::string operator()(const event::QueueDropped& e) { return e.count > 0 ? "" : "nothing was dropped from a queue"; }
  std::string operator()(const event::NodeLate& e) {
    return e.lag >= probe::Starvation::kThreshold ? "" : "a lateness below the threshold";
  }
  std::string operator()(const event::ClockJumped& e) { return e.by > Duration{} ? "" : "a jump of no time"; }
  std::string operator()(const event::NetworkChanged& e) {
    return e.added.empty() && e.removed.empty() ? "the network changed, but not in any way" : "";
  }
  std::string operator()(const event::NatMeasured& e) {
    return e.behaviour.udp == event::Tested::unknown ? "a NAT was measured, and nothing is known of it" : "";
  }
  std::string operator()(const event::NodeStarted& e) {
    if (std::exchange(daemon.started, true)) return "a daemon started twice";
    return e.self == host.id() ? "" : "a daemon started as somebody else";
  }
  std::string operator()(const event::NodeStopping&) {
    return std::exchange(daemon.stopping, true) ? "a daemon stops twice" : "";
  }
  std::string operator()(const event::ConfigReloaded&) { return "the core told what only the program knows"; }
  std::string operator()(const event::Trouble&) { return "the core told what only the program knows"; }
};

void Legality::started(Instant, const Host& host) { daemons_[host.index()] = {}; }
void Legality::died(Instant, const Host& host) { daemons_.erase(host.index()); }

void Legality::recorded(Instant at, const Host& host, const event::Record& record) {
  Daemon& daemon = daemons_[host.index()];
  const event::Event& event = record.event;
  auto wrong = [&](const std::string& what) {
    complain(host.name() + at_text(at) + what + " (" +
             std::string{event::name_of(event)} + ")");
  };
  if (!daemon.started && !std::holds_alternative<event::NodeStarted>(event)) wrong("an event before the start");
  if (at < daemon.last) wrong("an event from the past");
  daemon.last = at;
  const auto peer = event::peer_of(event);
  if (daemon.owed) {
    const Owed owed = *std::exchange(daemon.owed, std::nullopt);
    if (owed.event != event.index() || owed.peer != peer || owed.at != at)
      wrong(std::string{event::kEventNames[owed.event]} + " is missing");
  }
  // Strangers are refused, and fail, before they are peers, and a server may say of anybody that he opens a channel.
  const bool of_anybody = std::holds_alternative<event::PeerAdded>(event) ||
                          std::holds_alternative<event::ConnectionFailed>(event) ||
                          std::holds_alternative<event::AdmissionRefused>(event) ||
                          std::holds_alternative<event::InboundChannelClosed>(event);
  if (peer && !of_anybody) {
    const auto found = daemon.peers.find(*peer);
    if (found == daemon.peers.end() || !found->second.known) return wrong("an event of a peer that is not known");
  }
  if (!std::holds_alternative<event::DialEnded>(event) && !std::holds_alternative<event::SessionEnded>(event) &&
      !std::holds_alternative<event::TraversalEnded>(event) && !std::holds_alternative<event::BreakerChanged>(event) &&
      !std::holds_alternative<event::ConnectionFailed>(event))
    daemon.failed.reset();
  if (auto what = std::visit(Judge{daemon, host, at}, event); !what.empty()) wrong(what);
}

void Legality::commanded(Instant, const Host& host, event::Ticket ticket, const event::Command& command) {
  daemons_[host.index()].commands[ticket] = command.index();
}

void Legality::answered(Instant, const Host& host, event::Ticket ticket, const event::Answer& answer) {
  auto& commands = daemons_[host.index()].commands;
  const auto asked = commands.find(ticket);
  if (asked == commands.end()) return complain(host.name() + ": an answer that nobody waits for");
  // Connect, Disconnect: Done; Ping: PingAnswer; MeasureBandwidth: BandwidthAnswer.
  constexpr std::array<std::size_t, 4> kFitting{0, 0, 1, 2};
  if (answer && answer->index() != kFitting[asked->second]) complain(host.name() + ": an answer to another question");
  commands.erase(asked);
}

void Legality::look(const World& world) {
  for (std::size_t i = 0; i < world.size(); ++i) {
    const Host& host = world.host(i);
    if (!host.running()) continue;
    Daemon& daemon = daemons_[i];
    const auto snapshot = host.snapshot();
    auto wrong = [&](const event::PeerSnapshot& p, const char* what) {
      complain(host.name() + ": " + what + " (of " + p.id.to_short() + ")");
    };
    if (daemon.owed) complain(host.name() + ": " + std::string{event::kEventNames[daemon.owed->event]} + " is missing");
    if (snapshot.peers.size() != daemon.peers.size()) complain(host.name() + ": peers are known without an event");
    if (snapshot.stopping != daemon.stopping) complain(host.name() + ": it stops without an event");
    for (const auto& p : snapshot.peers) {
      const auto found = daemon.peers.find(p.id);
      if (found == daemon.peers.end()) {
        wrong(p, "a peer is known without an event");
        continue;
      }
      const Ledger& ledger = found->second;
      const bool connected = p.state == SessionState::connected;
      if (p.state != ledger.state) wrong(p, "the snapshot's state is not the events'");
      if (connected != ledger.session_since.has_value()) wrong(p, "a session is open without its state, or not");
      if (connected != p.connected_since.has_value()) wrong(p, "since when it is connected is told wrongly");
      if (connected && ledger.dial_since) wrong(p, "a dial goes on although the session is up");
      if (p.path != ledger.path) wrong(p, "the snapshot's path is not the events'");
      // A channel that is gone leaves nothing to try.
      if (connected ? p.paths.empty() && p.path != PathKind::none : !p.paths.empty())
        wrong(p, "a path without a session, or a session without a path");
      std::map<PathAddress, PathHealth> paths;
      for (const event::PathSnapshot& path : p.paths) paths[path.address] = path.health;
      if (paths != ledger.paths) wrong(p, "the snapshot's paths, or their health, are not the events'");
      if (!connected && (p.echo_rtt || p.jitter || p.cwnd)) wrong(p, "a measurement outlived its session");
    }
  }
}

}  // namespace pw::sim
