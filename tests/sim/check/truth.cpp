#include "sim/check/truth.hpp"

#include <algorithm>

#include "sim/check/exposed.hpp"
#include "sim/check/rename.hpp"
#include "sim/world.hpp"
#include "wire/demux.hpp"

namespace pw::sim {

using event::ProbeDirection;

namespace {

constexpr Duration kForGood = std::chrono::hours{24 * 365};

}  // namespace

void Truth::started(Instant, const Host& host) {
  if (host.index() >= kHosts) return;
  Daemon& daemon = daemons_[host.index()] = {};
  observe::MetricsOptions options;
  options.version = "0.1.0";
  options.self = host.id();
  options.node_name = host.name();
  options.mesh = host.membership.mesh;
  options.retention = kForGood;  // what leaves would take its counts along
  daemon.metrics = std::make_unique<observe::Metrics>(options);
}

void Truth::died(Instant, const Host& host) { daemons_.erase(host.index()); }

void Truth::arrived(Instant, const net::Machine& machine, const net::Packet& packet) {
  const Host* host = ground_.host_on(machine.index());
  if (!host || packet.protocol != net::Protocol::udp) return;
  const auto kind = wire::classify(packet.payload);
  // What else comes to further sockets is of other protocols: a gateway's, say.
  const auto further = [&](const auto& socket) {
    return socket.second.port == packet.destination.port && kind == wire::DatagramKind::stun;
  };
  if (packet.destination.port != Host::kPort && std::ranges::none_of(host->further(), further)) return;
  const auto daemon = daemons_.find(host->index());
  if (daemon != daemons_.end() && host->running()) ++daemon->second.arrived[index(kind)];
}

// ---- counts of our own

void Truth::count(Daemon& daemon, const event::Event& event) {
  auto& counts = daemon.counts;
  const auto direct = [](event::PathKind kind) { return kind == event::PathKind::direct_v4 || kind == event::PathKind::direct_v6; };
  const auto went_direct = [&](const PeerId& peer) {
    if (daemon.indirect.erase(peer) != 0) ++counts[sample_key("p2p_time_to_direct_seconds_count", {})];
  };
  if (const auto* e = std::get_if<event::StateChanged>(&event)) {
    ++counts[sample_key("p2p_connection_state_transitions_total", {{"from_state", pw::name(e->from)}, {"to_state", pw::name(e->to)}})];
  } else if (const auto* dial = std::get_if<event::DialEnded>(&event)) {
    ++counts[sample_key("p2p_connection_attempts_total", {{"result", pw::name(dial->result)}})];
  } else if (const auto* failed = std::get_if<event::ConnectionFailed>(&event)) {
    ++counts[sample_key("p2p_connection_errors_total", {{"error_type", pw::name(failed->error)}})];
  } else if (const auto* breaker = std::get_if<event::BreakerChanged>(&event)) {
    ++counts[sample_key("p2p_circuit_breaker_transitions_total", {{"to_state", pw::name(breaker->to)}})];
  } else if (const auto* attempt = std::get_if<event::TraversalStarted>(&event)) {
    ++counts[sample_key("nat_attempts_total", {{"trigger", pw::name(attempt->trigger)}})];
  } else if (const auto* result = std::get_if<event::TraversalEnded>(&event)) {
    ++counts[sample_key("nat_results_total", {{"result", pw::name(result->result)}, {"method", pw::name(result->method)}, {"failure", pw::name(result->failure)}})];
  } else if (const auto* ended = std::get_if<event::SessionEnded>(&event)) {
    ++counts[sample_key("p2p_connection_duration_seconds_count", {{"close_reason", pw::name(ended->reason)}})];
    daemon.indirect.erase(ended->peer);
  } else if (const auto* up = std::get_if<event::SessionEstablished>(&event)) {
    ++counts[sample_key("p2p_time_to_connected_seconds_count", {})];
    daemon.indirect.insert(up->peer);
    if (direct(up->path)) went_direct(up->peer);
  } else if (const auto* change = std::get_if<event::PathChanged>(&event)) {
    if (direct(change->to)) went_direct(change->peer);
  } else if (std::holds_alternative<event::ClockJumped>(event)) {
    ++counts[sample_key("peerwatch_clock_jumps_total", {})];
  } else if (const auto* rejected = std::get_if<event::PacketRejected>(&event)) {
    ++counts[sample_key("peerwatch_packets_rejected_total", {{"reason", pw::name(rejected->reason)}})];
  }
}

void Truth::recorded(Instant at, const Host& host, const event::Record& record) {
  const auto found = daemons_.find(host.index());
  if (found == daemons_.end()) return;
  Daemon& daemon = found->second;
  daemon.metrics->handle(record);
  count(daemon, record.event);
  if (const auto* probe = std::get_if<event::ProbeMeasured>(&record.event)) {
    if (!probe->suspect) daemon.peers[probe->peer].probes[probe->address].add(probe->rtt);
    check_rtt(at, host, probe->peer, probe->address, probe->rtt, probe->suspect, Measured::probe);
  } else if (const auto* echo = std::get_if<event::EchoMeasured>(&record.event)) {
    if (!echo->suspect) daemon.peers[echo->peer].echoes.add(echo->rtt);
    check_rtt(at, host, echo->peer, ground_.relation(host, echo->peer).in_use, echo->rtt, echo->suspect, Measured::echo);
  } else if (const auto* probes = std::get_if<event::ProbesAccounted>(&record.event)) {
    check_lost(at, host, daemon.peers[probes->peer], *probes);
  } else if (const auto* who = std::get_if<event::PeerIdentified>(&record.event)) {
    Peer& peer = daemon.peers[who->peer];
    peer.probes.clear();
    peer.echoes = {};
    peer.steady = false;
    const std::size_t here = host.machine().index();
    const std::size_t there = other_machine(who->peer);
    if (there == Flow::kNone) return;
    peer.mishaps = {ground_.passage(here, there).mishaps.total(), ground_.passage(there, here).mishaps.total()};
  } else if (const auto* moved = std::get_if<event::PathMoved>(&record.event)) {
    rename(daemon.peers[moved->peer].probes, moved->from, moved->to);
  } else if (const auto* forgotten = std::get_if<event::PathForgotten>(&record.event)) {
    Peer& peer = daemon.peers[forgotten->peer];
    peer.probes.erase(forgotten->address);
    peer.steady = false;  // what went over that path was counted too
  } else if (const auto* removed = std::get_if<event::PeerRemoved>(&record.event)) {
    Peer& peer = daemon.peers[removed->peer];  // its series stays for a while, and goes on when it comes back
    peer.probes.clear();
    peer.echoes = {};
    peer.steady = false;
    peer.advance(removed->totals);
    peer.forget_totals();
  } else if (const auto* refused = std::get_if<event::CheckRefused>(&record.event)) {
    daemon.checks_refused += refused->from.port != 0;  // else it came through a relay
    if (refused->reason == event::CheckRefusal::wrong_source) daemon.peers[refused->peer].elsewhere_at = at;
  } else if (std::holds_alternative<event::QueueDropped>(record.event)) {
    daemon.queue_dropped = at;
  } else if (const auto* rejected = std::get_if<event::PacketRejected>(&record.event)) {
    daemon.rejected = at;
    if (rejected->from.port == 0) return;  // it came through a relay: the wire knows nothing of it
    if (rejected->reason == event::RejectReason::empty) ++daemon.refused[index(wire::DatagramKind::empty)];
    if (rejected->reason == event::RejectReason::oversized) ++daemon.refused[index(wire::DatagramKind::oversized)];
    if (rejected->reason == event::RejectReason::stun && rejected->from.port != 0) ++daemon.refused[index(wire::DatagramKind::stun)];
    if (rejected->reason == event::RejectReason::unknown_protocol) ++daemon.refused[index(wire::DatagramKind::unknown)];
  }
}

/// The machine of the only host with that key.
std::size_t Truth::other_machine(const PeerId& peer) const {
  const auto& hosts = ground_.hosts_of(peer);
  return hosts.size() == 1 ? hosts.front()->machine().index() : Flow::kNone;
}

// ---- measurements

/// Of a probe, whose answer says how long the other end held it, or of an echo, which counts that too.
void Truth::check_rtt(Instant at, const Host& host, const PeerId& id, const PathAddress& path, Duration rtt, bool suspect, Measured what) {
  const auto told = [&](const std::string& text) {
    return host.name() + at_text(at) + "a round trip with " +
             id.to_short() + " of " + std::to_string(to_milliseconds(rtt)) + " ms, " + text;
  };
  const Now& answer = ground_.arrival();
  const std::size_t here = host.machine().index();
  const std::size_t there = other_machine(id);
  if (!suspect && !ground_.slow(here) && at - rtt <= ground_.starved(here, at))
    return complain(told("during which this machine did not run, is not suspect"));
  // An echo that was asked over one path and answered over another, or waits for what was sent over another.
  if (what == Measured::echo && ground_.relation(host, id).health_since >= at - rtt - kMoved) return;
  // The other end chooses for itself.
  for (const Host* other : what == Measured::echo ? ground_.hosts_of(id) : std::vector<const Host*>{}) {
    const Relation& theirs = ground_.relation(*other, host.id());
    if (theirs.in_use.relayed() || theirs.health_since >= at - rtt - kMoved) return;
  }
  // What waited while this machine did not run is no longer the packet that arrived last.
  if (there == Flow::kNone || ground_.was_paused(here, at - rtt - kYoung, at)) return;
  if (answer.flow == Flow::kNone || !answer.travelled || ground_.flow(answer.flow).machine != here) return;
  if (answer.sent_at + *answer.travelled != at) return;
  const Flow& way = ground_.flow(answer.flow);
  if (answer.flow != ground_.find(host, path) || way.to != there || !way.travel.any()) return;
  // Of a probe that waited there until the machine ran again, the way is older than what is remembered of it.
  const Duration waited = what == Measured::probe ? ground_.paused(there, at - 1min, at) : Duration{};
  if (rtt + waited > Travel::kSpan) return;
  const Instant from = at - rtt - (what == Measured::echo && rtt >= kTimedOut ? kBackedOff : Travel::kSpan);
  const auto mishap = [this, here, there, from, at] {
    return ground_.passage(here, there).mishaps.count(from, at) > 0 ||
           ground_.passage(there, here).mishaps.count(from, at) > 0;
  };
  const bool lossy = mishap();
  // What fills a gap in a stream is older than the echo that it lets through.
  const Duration slack = what == Measured::echo ? kEchoSlack : Duration{};
  // A probe whose original was lost, but not its copy, may have been faster than all that is known of.
  const bool copied = ground_.passage(here, there).last_copy >= at - rtt;
  if (!copied && (what == Measured::probe || !lossy) && rtt + slack < way.travel.least() + *answer.travelled)
    complain(told("though the way there takes " + std::to_string(to_milliseconds(way.travel.least())) +
                  " ms and the answer took " + std::to_string(to_milliseconds(*answer.travelled)) + " ms"));
  Duration most = way.travel.most() + *answer.travelled + kSlack + rtt / 100;
  if (what == Measured::probe) {
    // What QUIC or the other end held back is taken out, but how long a copy took is not known.
    if (copied) return;
  } else {
    // A window that losses shrank, or that was filled while nobody answered, holds packets back.
    if (lossy || ground_.paused(there, from, at) > kFillsWindow) most += kHeldBack;
    if (way.last_long_header >= from) most += kHandshake;
    most += slack + ground_.paused(there, from, at);
  }
  if (ground_.slow(there) || ground_.busy_until(host) + Travel::kSpan >= at) return;
  // A sample that is suspect is told, and left out of everything.
  if (rtt <= most || suspect) return;
  // An echo waited for a packet that is still on its way: what took its place came first.
  const auto explained = [mishap, late = what == Measured::echo && rtt <= most + kHeldBack] { return late && mishap(); };
  doubts_.push_back({at, explained, told("where what was under way took " + std::to_string(to_milliseconds(most)) + " ms at most")});
}

void Truth::check_lost(Instant at, const Host& host, Peer& peer, const event::ProbesAccounted& e) {
  const std::size_t d = index(e.direction);
  peer.expected[d] += e.expected;
  peer.lost[d] += e.lost;
  const std::size_t here = host.machine().index();
  const std::size_t there = other_machine(e.peer);
  if (e.lost == 0 || there == Flow::kNone) return;
  const Relation& relation = ground_.relation(host, e.peer);
  // What is lost beyond a relay is not known of. While the direct path was in doubt, packets went out by a relay too.
  const Now& arrival = ground_.arrival();
  const std::size_t back = arrival.flow == Flow::kNone ? Flow::kNone : ground_.flow(arrival.flow).back;
  const bool told_directly = back != Flow::kNone && arrival.travelled && arrival.sent_at + *arrival.travelled == at &&
                             ground_.flow(arrival.flow).machine == here && ground_.flow(back).machine == there;
  const bool may_be_relayed = std::ranges::any_of(relation.paths, [](const auto& path) { return path.first.relayed(); });
  if (relation.in_use.relayed() || (may_be_relayed && !told_directly)) return;
  const bool forward = e.direction == ProbeDirection::forward;
  const std::size_t from = forward ? here : there;
  const std::size_t to = forward ? there : here;
  const auto since = relation.connected_since;
  if (!since || at - *since < kYoung || ground_.slow(here) || ground_.slow(there)) return;
  if (ground_.was_paused(here, at - 1min, at) || ground_.was_paused(there, at - 1min, at)) return;
  // What a NAT let come from elsewhere is missed where it was expected.
  if (peer.elsewhere_at + kElsewhere >= at) return;
  // A full queue drops probes that never went out; whose it was is not told.
  if (ground_.busy_until(host) >= at - 1min) return;
  for (const auto& [i, daemon] : daemons_)
    if (daemon.queue_dropped) return;
  const auto explained = [this, from, to, before = peer.mishaps[d]] {
    return ground_.passage(from, to).mishaps.total() > before;
  };
  doubts_.push_back({at, explained,
                   host.name() + at_text(at) + std::to_string(e.lost) + " probes were lost (" +
                       std::string{pw::name(e.direction)} + "), but no packet was (of " + e.peer.to_short() + ")"});
}

void Truth::judge_doubts(Instant at) {
  for (; !doubts_.empty() && doubts_.front().at + kJudgedAfter <= at; doubts_.pop_front())
    if (!doubts_.front().explained()) complain(doubts_.front().complaint);
}

}  // namespace pw::sim
