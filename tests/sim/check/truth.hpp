// Truth: what a daemon tells equals what happened. Its records and snapshots go through the real metrics, as in the
// program; the exposition is compared, sample by sample, with counts made here, and both with the packets themselves.
//
// What encryption hides is held to bounds that are always true:
// - bytes and packets of a peer are compared while its connection is the only one on its path, which is when no handshake
//   was seen there for a while; then exactly, forged and bent packets apart;
// - a round trip is at least the shortest way there plus the way that the answer took, and at most the longest there
//   plus that, an echo's only where nothing went wrong that makes QUIC hold packets back; it is suspect when this
//   machine did not run;
// - probes are lost only where packets were lost, bent or late, in the same direction.
// Only the first hosts of a world are held to it: folding costs as much as the program's own.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "observe/metrics.hpp"
#include "probe/rtt_estimator.hpp"
#include "sim/check/exposed.hpp"
#include "sim/check/ground.hpp"

namespace pw::sim {

class Truth : public Checker {
 public:
  static constexpr std::size_t kHosts = 3;
  static constexpr Duration kEvery = 5s;     // scrapes, at most
  static constexpr Duration kSettled = 10s;  // after a handshake's last packet a path has one connection
  static constexpr Duration kYoung = 15s;    // what was lost before both ends had their session is not told of it
  static constexpr Duration kElsewhere = 10s;  // for which the probes of before are missed
  static constexpr Duration kSlack = 5ms;    // from when probes were paced; with 1 % of the RTT, not tightened since
  // Of echoes only: probes tell how long they were held.
  static constexpr Duration kHeldBack = 30s;    // by a window that is down, or full
  static constexpr Duration kFillsWindow = 3s;  // of probes at PTO pace that nobody acknowledges, if it was down before
  static constexpr Duration kEchoSlack = 60ms;
  static constexpr Duration kMoved = 1s;  // for which it may wait for what went by the path before, and was lost there
  /// Silence doubles QUIC's time-out; an echo waits it out even when the path is back: no probe of ours wakes QUIC.
  static constexpr Duration kBackedOff = 60s;
  static constexpr Duration kTimedOut = 500ms;  // of an echo: it waited for that
  static constexpr Duration kHandshake = 300ms;  // what is queued behind a handshake's last flight

  static constexpr Duration kJudgedAfter = 5s;

  /// Names whose every sample is compared, one by one.
  static constexpr std::array<std::string_view, 18> kCounted{
      "p2p_connection_state_transitions_total",
      "p2p_connection_attempts_total",
      "p2p_connection_errors_total",
      "p2p_connection_duration_seconds_count",
      "p2p_time_to_connected_seconds_count",
      "p2p_time_to_direct_seconds_count",
      "p2p_connections_active",
      "p2p_circuit_breaker_transitions_total",
      "p2p_circuit_breakers",
      "nat_attempts_total",
      "nat_results_total",
      "peerwatch_clock_jumps_total",
      "peerwatch_packets_rejected_total",
      "p2p_probes_expected_total",
      "p2p_probes_lost_total",
      "p2p_bytes_transferred_total",
      "p2p_quic_packets_sent_total",
      "p2p_quic_packets_received_total"};

  /// How metrics become the text that is read; a test gives one that lies.
  using Serve = std::function<std::string(const observe::MetricsSnapshot&)>;
  static std::string as_text(const observe::MetricsSnapshot& metrics) { return render(metrics, observe::Exposition::text); }

  explicit Truth(const Ground& ground, Serve serve = as_text)
      : Checker{"truth"}, ground_{ground}, serve_{std::move(serve)} {}
  void started(Instant at, const Host& host) override;
  void died(Instant at, const Host& host) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override;
  void look(const World& world) override;

 private:
  enum class Measured { probe, echo };
  /// The sum of what a total grew by, which begins again at 0 when its peer is forgotten.
  struct Growth {
    std::uint64_t total = 0;
    std::uint64_t sum = 0;
    void advance(std::uint64_t now) { sum += now - std::exchange(total, now); }
  };
  struct Peer {
    std::array<std::uint64_t, 2> expected{};  // by ProbeDirection
    std::array<std::uint64_t, 2> lost{};
    std::map<PathAddress, probe::RttEstimator> probes;  // of the connection
    probe::RttEstimator echoes;
    std::array<std::uint64_t, 2> mishaps{};  // of the wire each way when it began
    Instant elsewhere_at{};  // an answer came from where it was not asked: a NAT gives the peer other addresses by turns
    // What was counted at the last look, of snapshot and wire:
    bool steady = false;
    Instant since{};
    std::size_t flow = Flow::kNone;
    std::uint64_t tainted = 0;
    std::array<Count, 2> told{};  // by Direction
    std::array<Count, 2> wire{};
    std::uint64_t told_quic = 0;  // sent
    std::uint64_t told_relayed = 0;  // packets, both ways
    std::uint64_t wire_quic = 0;
    Count unclaimed;
    std::array<std::array<Growth, 2>, 4> bytes;  // by PathKind, then by Direction
    std::array<Growth, 2> quic;                  // packets, by Direction

    void advance(const event::PeerTotals& totals) {
      for (std::size_t d = 0; d < 2; ++d) {
        for (std::size_t k = 0; k < bytes.size(); ++k) bytes[k][d].advance(totals.traffic[k][d].bytes);
        quic[d].advance(totals.quic_packets[d]);
      }
    }
    void forget_totals() {
      for (auto& kind : bytes)
        for (Growth& g : kind) g.total = 0;
      for (Growth& g : quic) g.total = 0;
    }
  };
  struct Daemon {
    std::unique_ptr<observe::Metrics> metrics;
    Samples counts;
    std::map<PeerId, Peer> peers;
    std::set<PeerId> indirect;  // sessions that never went directly
    std::array<std::uint64_t, 5> arrived{};  // by wire::DatagramKind
    std::array<std::uint64_t, 5> refused{};
    std::uint64_t checks_refused = 0;
    std::optional<Instant> queue_dropped;
    Instant rejected{};  // the last packet that was
    Instant looked = Instant::min();
  };
  void count(Daemon& daemon, const event::Event& event);
  void check_rtt(Instant at, const Host& host, const PeerId& id, const PathAddress& path, Duration rtt, bool suspect, Measured what);
  void check_lost(Instant at, const Host& host, Peer& peer, const event::ProbesAccounted& e);
  void count_traffic(Daemon& daemon, const event::NodeSnapshot& snapshot);
  Samples expect(const Daemon& daemon, const event::NodeSnapshot& snapshot) const;
  void check_metrics(const Host& host, const Daemon& daemon, const event::NodeSnapshot& snapshot);
  void check_peer(const World& world, const Host& host, Daemon& daemon, const event::PeerSnapshot& p);
  void check_traffic(const World& world, const Host& host, Daemon& daemon, Peer& peer, const event::PeerSnapshot& p);
  std::size_t other_machine(const PeerId& peer) const;

  /// What is true only if a packet was lost or late, and none was by then: one that is on its way may yet prove it.
  struct Doubt {
    Instant at{};
    std::function<bool()> explained;
    std::string complaint;
  };
  void judge_doubts(Instant at);
  template <class Enum>
  static std::size_t index(Enum e) {
    return static_cast<std::size_t>(e);
  }

  const Ground& ground_;
  Serve serve_;
  std::map<std::size_t, Daemon> daemons_;
  std::deque<Doubt> doubts_;
};

}  // namespace pw::sim
