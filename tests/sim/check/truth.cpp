#include "sim/check/truth.hpp"

#include "sim/check/exposed.hpp"
#include "sim/check/rename.hpp"
#include "sim/world.hpp"
#include "wire/demux.hpp"

namespace pw::sim {

using event::Direction;
using event::ProbeDirection;

namespace {

template <class Enum>
std::size_t index(Enum e) {
  return static_cast<std::size_t>(e);
}

std::string sample(std::string_view name, std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  std::map<std::string, std::string> sorted;
  for (const auto& [key, value] : labels) sorted.emplace(key, value);
  return sample_key(std::string{name}, sorted);
}

}  // namespace

void Truth::started(Instant, const Host& host) {
  if (host.index() >= kHosts) return;
  Daemon& daemon = daemons_[host.index()] = {};
  observe::MetricsOptions options;
  options.version = "0.1.0";
  options.self = host.id();
  options.node_name = host.name();
  options.mesh = host.membership.mesh;
  daemon.metrics = std::make_unique<observe::Metrics>(options);
}

void Truth::died(Instant, const Host& host) { daemons_.erase(host.index()); }

void Truth::arrived(Instant, const net::Machine& machine, const net::Packet& packet) {
  const Host* host = ground_.host_on(machine.index());
  if (!host || packet.protocol != net::Protocol::udp || packet.destination.port != Host::kPort) return;
  const auto daemon = daemons_.find(host->index());
  if (daemon != daemons_.end() && host->running()) ++daemon->second.arrived[index(wire::classify(packet.payload))];
}

// ---- counts of our own

void Truth::count(Daemon& daemon, const event::Event& event) {
  auto& counts = daemon.counts;
  if (const auto* e = std::get_if<event::StateChanged>(&event)) {
    ++counts[sample("p2p_connection_state_transitions_total", {{"from_state", pw::name(e->from)}, {"to_state", pw::name(e->to)}})];
  } else if (const auto* dial = std::get_if<event::DialEnded>(&event)) {
    ++counts[sample("p2p_connection_attempts_total", {{"result", pw::name(dial->result)}})];
  } else if (const auto* failed = std::get_if<event::ConnectionFailed>(&event)) {
    ++counts[sample("p2p_connection_errors_total", {{"error_type", pw::name(failed->error)}})];
  } else if (const auto* attempt = std::get_if<event::TraversalStarted>(&event)) {
    ++counts[sample("nat_attempts_total", {{"trigger", pw::name(attempt->trigger)}})];
  } else if (const auto* result = std::get_if<event::TraversalEnded>(&event)) {
    ++counts[sample("nat_results_total", {{"result", pw::name(result->result)}, {"method", pw::name(result->method)}, {"failure", pw::name(result->failure)}})];
  } else if (const auto* ended = std::get_if<event::SessionEnded>(&event)) {
    ++counts[sample("p2p_connection_duration_seconds_count", {{"close_reason", pw::name(ended->reason)}})];
  } else if (std::holds_alternative<event::SessionEstablished>(event)) {
    ++counts[sample("p2p_time_to_connected_seconds_count", {})];
  } else if (std::holds_alternative<event::ClockJumped>(event)) {
    ++counts[sample("peerwatch_clock_jumps_total", {})];
  } else if (const auto* rejected = std::get_if<event::PacketRejected>(&event)) {
    ++counts[sample("peerwatch_packets_rejected_total", {{"reason", pw::name(rejected->reason)}})];
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
    check_rtt(at, host, probe->peer, probe->address.remote, probe->rtt, probe->suspect, Measured::probe);
  } else if (const auto* echo = std::get_if<event::EchoMeasured>(&record.event)) {
    if (!echo->suspect) daemon.peers[echo->peer].echoes.add(echo->rtt);
    check_rtt(at, host, echo->peer, ground_.relation(host, echo->peer).in_use.remote, echo->rtt, echo->suspect, Measured::echo);
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
void Truth::check_rtt(Instant at, const Host& host, const PeerId& id, const SocketAddress& remote, Duration rtt, bool suspect, Measured what) {
  const auto told = [&](const std::string& text) {
    return host.name() + at_text(at) + "a round trip with " +
             id.to_short() + " of " + std::to_string(to_milliseconds(rtt)) + " ms, " + text;
  };
  const Now& answer = ground_.arrival();
  const std::size_t here = host.machine().index();
  const std::size_t there = other_machine(id);
  if (!suspect && !ground_.slow(here) && at - rtt <= ground_.starved(here, at))
    return complain(told("during which this machine did not run, is not suspect"));
  // An echo that was asked over one path and answered over another.
  if (what == Measured::echo && ground_.relation(host, id).health_since >= at - rtt) return;
  // The other end chooses for itself.
  for (const Host* other : what == Measured::echo ? ground_.hosts_of(id) : std::vector<const Host*>{}) {
    const Relation& theirs = ground_.relation(*other, host.id());
    if (theirs.in_use.relayed() || theirs.health_since >= at - rtt) return;
  }
  // What waited while this machine did not run is no longer the packet that arrived last.
  if (there == Flow::kNone || ground_.was_paused(here, at - rtt - kYoung, at)) return;
  if (answer.flow == Flow::kNone || !answer.travelled || ground_.flow(answer.flow).machine != here) return;
  if (answer.sent_at + *answer.travelled != at) return;
  const Flow& way = ground_.flow(answer.flow);
  if (answer.flow != ground_.find(here, remote) || way.to != there || !way.travel.any()) return;
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
  if (ground_.relation(host, e.peer).in_use.relayed()) return;
  const bool forward = e.direction == ProbeDirection::forward;
  const std::size_t from = forward ? here : there;
  const std::size_t to = forward ? there : here;
  const auto since = ground_.relation(host, e.peer).connected_since;
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

// ---- what is served

void Truth::look(const World& world) {
  judge_doubts(world.now());
  for (auto& [i, daemon] : daemons_) {
    const Host& host = world.host(i);
    if (!host.running() || (daemon.looked != Instant::min() && world.now() - daemon.looked < kEvery)) continue;
    daemon.looked = world.now();
    auto snapshot = host.snapshot();
    snapshot.at = world.now();  // as records are: the machine's clock may be hours ahead
    check_metrics(host, daemon, snapshot);
    for (const auto& p : snapshot.peers) check_peer(world, host, daemon, p);
    const std::size_t machine = host.machine().index();
    if (ground_.slow(machine) || ground_.was_paused(machine, world.now() - 1s, world.now())) continue;
    const std::size_t stun = index(wire::DatagramKind::stun);
    if (daemon.refused[stun] + daemon.checks_refused > daemon.arrived[stun])
      complain(host.name() + ": " + std::to_string(daemon.arrived[stun]) + " STUN messages came, but " +
               std::to_string(daemon.refused[stun] + daemon.checks_refused) + " were refused");
    for (const auto kind : {wire::DatagramKind::empty, wire::DatagramKind::oversized, wire::DatagramKind::unknown})
      if (daemon.arrived[index(kind)] != daemon.refused[index(kind)])
        complain(host.name() + ": " + std::to_string(daemon.arrived[index(kind)]) + " packets of a kind that is refused, " +
                 std::to_string(daemon.refused[index(kind)]) + " were rejected");
  }
}

void Truth::check_metrics(const Host& host, Daemon& daemon, const event::NodeSnapshot& snapshot) {
  const auto made = daemon.metrics->snapshot(snapshot, WallTime{});
  const auto served = read_exposition(observe::render(*made, observe::Exposition::text));
  auto expected = daemon.counts;
  for (std::size_t i = 0; i < enum_count<event::SessionState>(); ++i) {
    const auto state = static_cast<event::SessionState>(i);
    expected[sample("p2p_connections_active", {{"state", pw::name(state)}})] = static_cast<std::uint64_t>(
        std::ranges::count(snapshot.peers, state, &event::PeerSnapshot::state));
  }
  // A peer has a series of its own from the first scrape on; what came before belongs to "other". The sum is exact.
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string_view direction = pw::name(static_cast<ProbeDirection>(i));
    const auto told = [&](const std::string& name) {
      double sum = 0;
      for (const auto& [key, value] : served)
        if (key.starts_with(name + "|direction=" + std::string{direction})) sum += value;
      return sum;
    };
    std::uint64_t sent = 0;
    std::uint64_t lost = 0;
    for (const auto& [id, peer] : daemon.peers) sent += peer.expected[i], lost += peer.lost[i];
    if (told("p2p_probes_expected_total") != static_cast<double>(sent) ||
        told("p2p_probes_lost_total") != static_cast<double>(lost))
      complain(host.name() + ": the metrics tell of " + std::to_string(told("p2p_probes_expected_total")) + " probes (" +
               std::string{direction} + "), " + std::to_string(told("p2p_probes_lost_total")) + " lost, but it was " +
               std::to_string(sent) + " and " + std::to_string(lost));
  }
  for (const auto& [key, value] : expected) {
    const auto found = served.find(key);
    const double told = found == served.end() ? 0 : found->second;
    if (told != static_cast<double>(value))
      complain(host.name() + ": " + key + " is told as " + std::to_string(told) + ", but it is " + std::to_string(value));
  }
}

void Truth::check_peer(const World& world, const Host& host, Daemon& daemon, const event::PeerSnapshot& p) {
  Peer& peer = daemon.peers[p.id];
  for (const event::PathSnapshot& path : p.paths) {
    const probe::RttEstimator& samples = peer.probes[path.address];
    if (path.rtt != samples.smoothed() || path.rtt_min != samples.min())
      complain(host.name() + ": the path's RTT is not that of its samples (of " + p.id.to_short() + ")");
  }
  if (!p.paths.empty()) {
    if (p.echo_rtt != peer.echoes.latest() || p.echo_rtt_smoothed != peer.echoes.smoothed())
      complain(host.name() + ": the echo's RTT is not that of its samples (of " + p.id.to_short() + ")");
    if (p.loss_forward.lost > p.loss_forward.expected || p.loss_forward.expected > peer.expected[0] ||
        p.loss_return.expected > peer.expected[1])
      complain(host.name() + ": a minute has more probes than there were (of " + p.id.to_short() + ")");
  }
  check_traffic(world, host, daemon, peer, p);
}

void Truth::check_traffic(const World& world, const Host& host, Daemon& daemon, Peer& peer, const event::PeerSnapshot& p) {
  const std::size_t machine = host.machine().index();
  const std::size_t index_of_flow =
      p.paths.size() != 1 ? Flow::kNone : ground_.find(machine, p.paths.front().address.remote);
  const bool before = std::exchange(peer.steady, false);
  if (index_of_flow == Flow::kNone) return;
  // Between a server and its client there are packets of the service, too.
  for (const Host* other : ground_.hosts_of(p.id))
    if (Ground::serves(*other, host) || Ground::serves(host, *other)) return;
  const Flow& flow = ground_.flow(index_of_flow);
  // Nor can checks be told apart that two sessions send to one address, or one session to several.
  if (before && flow.mixed_at >= peer.since) return;
  if (flow.shared() || flow.last_long_header + kSettled > world.now() || ground_.slow(machine)) return;
  if (ground_.was_paused(machine, world.now() - 1s, world.now())) return;
  // Resets that it sent belong to no peer, nor do packets that it refused.
  const bool resets = daemon.rejected + kSettled > peer.since;
  std::array<Count, 2> told{};
  const auto& relay = p.traffic[index(event::PathKind::relay_quic)];
  const std::uint64_t relayed = relay[0].packets + relay[1].packets;
  const bool also_relayed = std::exchange(peer.told_relayed, relayed) != relayed;
  for (const auto& kind : p.traffic)
    for (std::size_t d = 0; d < 2; ++d) {
      told[d].packets += kind[d].packets;
      told[d].bytes += kind[d].bytes;
    }
  const std::size_t there = other_machine(p.id);
  if (there == Flow::kNone) return;
  const Passage& in = ground_.passage(there, machine);
  const std::array<Count, 2> wire{in.arrived, flow.sent};  // by Direction
  const std::uint64_t told_quic = p.quic_packets[index(Direction::outbound)];
  const std::uint64_t wire_quic = flow.sent_quic;
  const Count& unclaimed = ground_.unclaimed(machine);
  const bool same = before && !also_relayed && peer.flow == index_of_flow && peer.tainted == ground_.tainted(machine) && !resets &&
                    flow.last_long_header + kSettled <= peer.since && in.last_long_header + kSettled <= peer.since &&
                    ground_.relation(host, p.id).connected_since.value_or(Instant::max()) < peer.since;
  for (std::size_t d = 0; same && d < 2; ++d) {
    const std::uint64_t packets = told[d].packets - peer.told[d].packets;
    const std::uint64_t bytes = told[d].bytes - peer.told[d].bytes;
    const std::uint64_t there_were = wire[d].packets - peer.wire[d].packets;
    const std::uint64_t with_bytes = wire[d].bytes - peer.wire[d].bytes;
    // Checks went to addresses that are no paths, too.
    const bool out = d == index(Direction::outbound);
    const std::uint64_t more = out ? unclaimed.packets - peer.unclaimed.packets : 0;
    const std::uint64_t more_bytes = out ? unclaimed.bytes - peer.unclaimed.bytes : 0;
    const bool right = there_were <= packets && packets <= there_were + more && with_bytes <= bytes &&
                       bytes <= with_bytes + more_bytes;
    const bool quic = d == index(Direction::inbound) || told_quic - peer.told_quic == wire_quic - peer.wire_quic;
    if (!quic)
      complain(host.name() + at_text(world.now()) + std::to_string(told_quic - peer.told_quic) +
               " packets of QUIC are told, but it was " + std::to_string(wire_quic - peer.wire_quic) + " (to " +
               flow.remote.to_string() + ")");
    if (!right)
      complain(host.name() + at_text(world.now()) + std::to_string(packets) + " packets and " + std::to_string(bytes) + " bytes " +
               std::string{pw::name(static_cast<Direction>(d))} + " are told of " + flow.remote.to_string() + ", but it was " +
               std::to_string(there_were) + " and " + std::to_string(with_bytes));
  }
  peer.steady = true;
  peer.since = world.now();
  peer.flow = index_of_flow;
  peer.tainted = ground_.tainted(machine);
  peer.told = told;
  peer.told_quic = told_quic;
  peer.wire_quic = wire_quic;
  peer.unclaimed = unclaimed;
  peer.wire = wire;
}

}  // namespace pw::sim
