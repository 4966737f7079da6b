// What metrics and snapshots are held to.
#include "sim/check/exposed.hpp"
#include "sim/check/truth.hpp"
#include "sim/world.hpp"
#include "wire/demux.hpp"

namespace pw::sim {

using event::Direction;
using event::ProbeDirection;

void Truth::look(const World& world) {
  judge_doubts(world.now());
  for (auto& [i, daemon] : daemons_) {
    const Host& host = world.host(i);
    if (!host.running() || (daemon.looked != Instant::min() && world.now() - daemon.looked < kEvery)) continue;
    daemon.looked = world.now();
    auto snapshot = host.snapshot();
    snapshot.at = world.now();  // as records are: the machine's clock may be hours ahead
    count_traffic(daemon, snapshot);
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

/// Every sample of the families that are counted here; what was never counted is 0.
void Truth::check_metrics(const Host& host, const Daemon& daemon, const event::NodeSnapshot& snapshot) {
  const Samples served = read_exposition(serve_(*daemon.metrics->snapshot(snapshot, WallTime{})), [](std::string_view name) {
    return std::ranges::find(kCounted, name) != kCounted.end();
  });
  const Samples expected = expect(daemon, snapshot);
  const auto compare = [&](const std::string& key, double told, double counted) {
    if (told != counted)
      complain(host.name() + ": " + key + " is told as " + std::to_string(told) + ", but it is " + std::to_string(counted));
  };
  for (const auto& [key, value] : served) {
    const auto counted = expected.find(key);
    compare(key, value, counted == expected.end() ? 0 : counted->second);
  }
  for (const auto& [key, value] : expected)
    if (!served.contains(key)) compare(key, 0, value);
}

Samples Truth::expect(const Daemon& daemon, const event::NodeSnapshot& snapshot) const {
  Samples expected = daemon.counts;
  for (std::size_t i = 0; i < enum_count<event::SessionState>(); ++i) {
    const auto state = static_cast<event::SessionState>(i);
    expected[sample_key("p2p_connections_active", {{"state", pw::name(state)}})] =
        static_cast<double>(std::ranges::count(snapshot.peers, state, &event::PeerSnapshot::state));
  }
  for (std::size_t i = 0; i < enum_count<event::BreakerState>(); ++i) {
    const auto state = static_cast<event::BreakerState>(i);
    expected[sample_key("p2p_circuit_breakers", {{"state", pw::name(state)}})] = static_cast<double>(
        std::ranges::count(snapshot.peers, state, [](const event::PeerSnapshot& p) { return p.breaker.state; }));
  }
  for (const auto& [id, peer] : daemon.peers) {
    const std::string label = id.to_short();
    for (std::size_t d = 0; d < 2; ++d) {
      const std::string_view probes = pw::name(static_cast<ProbeDirection>(d));
      const auto expect_probes = [&](std::string_view name, std::uint64_t n) {
        expected[sample_key(name, {{"peer_id", label}, {"direction", probes}})] = static_cast<double>(n);
      };
      expect_probes("p2p_probes_expected_total", peer.expected[d]);
      expect_probes("p2p_probes_lost_total", peer.lost[d]);
      const std::string_view direction = pw::name(static_cast<Direction>(d));
      for (std::size_t k = 0; k < peer.bytes.size(); ++k)
        expected[sample_key("p2p_bytes_transferred_total", {{"peer_id", label},
                                                            {"direction", direction},
                                                            {"path", pw::name(static_cast<event::PathKind>(k))}})] =
            static_cast<double>(peer.bytes[k][d].sum);
    }
    const auto quic = [&](std::string_view name, Direction d) {
      expected[sample_key(name, {{"peer_id", label}})] = static_cast<double>(peer.quic[index(d)].sum);
    };
    quic("p2p_quic_packets_sent_total", Direction::outbound);
    quic("p2p_quic_packets_received_total", Direction::inbound);
  }
  return expected;
}

/// What the snapshot counts since the peer became known, check_traffic holds to the packets.
void Truth::count_traffic(Daemon& daemon, const event::NodeSnapshot& snapshot) {
  for (const event::PeerSnapshot& p : snapshot.peers) daemon.peers[p.id].advance(p);
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
      p.paths.size() != 1 ? Flow::kNone : ground_.find(host, p.paths.front().address);
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
  std::uint64_t relayed = 0;
  for (const auto kind : {event::PathKind::relay_quic, event::PathKind::relay_websocket})
    for (const event::Traffic& traffic : p.traffic[index(kind)]) relayed += traffic.packets;
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
