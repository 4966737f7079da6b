#include "observe/exposition.hpp"
#include "observe/metrics_snapshot.hpp"

namespace pw::observe {
namespace {

using Pair = std::array<std::string_view, 2>;
constexpr Pair kByDirection = {",direction=\"inbound\"} ", ",direction=\"outbound\"} "};     // event::Direction
constexpr Pair kByProbeDirection = {",direction=\"forward\"} ", ",direction=\"return\"} "};  // event::ProbeDirection
constexpr std::string_view kPlain = "} ";
constexpr std::string_view kOtherLabel = "peer_id=\"other\"";

std::string opening(std::string_view name, std::string_view suffix = "") {
  return std::string{name}.append(suffix).append("{");
}

class PeerWriter {
 public:
  PeerWriter(Exposer& out, const MetricsSnapshot& snapshot) : out_{out}, snapshot_{snapshot} {}

  void info() {
    constexpr std::string_view kName = "p2p_peer_info";
    out_.family(kName, "Names of a peer; join on peer_id.", SeriesType::gauge);
    const std::string head = opening(kName);
    for (const PeerSeries& peer : snapshot_.peers) out_.sample(head, peer.text->info, kPlain, std::uint64_t{1});
  }

  /// get(gauges) gives the value as an integer of 10^-decimals, kAbsent where there is none.
  template <class Get>
  void gauge(std::string_view name, std::string_view help, int decimals, Get get) {
    gauges(name, help, [&](std::string_view head, const PeerSeries& peer) {
      const std::int64_t value = get(peer.gauges);
      if (value != kAbsent) out_.decimal(head, peer.text->label, kPlain, value, decimals);
    });
  }

  void gauge_by_direction(std::string_view name, std::string_view help, ByDirection<std::int64_t> PeerGauges::*member) {
    gauges(name, help, [&](std::string_view head, const PeerSeries& peer) {
      for (std::size_t d = 0; d < 2; ++d) {
        const std::int64_t value = (peer.gauges.*member)[d];
        if (value != kAbsent) out_.decimal(head, peer.text->label, kByDirection[d], value, 0);
      }
    });
  }

  void path() {
    std::array<std::string, kPaths + 1> tails;
    for (std::size_t p = 0; p <= kPaths; ++p)
      tails[p] = std::string{",path=\""}.append(name(static_cast<event::PathKind>(p))).append("\"} ");
    gauges("p2p_peer_path", "1 on the path that carries the session, 0 on the others.",
           [&](std::string_view head, const PeerSeries& peer) {
             for (std::size_t p = 0; p <= kPaths; ++p)
               if (has(snapshot_.paths, p))
                 out_.sample(head, peer.text->label, tails[p],
                             std::uint64_t{peer.gauges.path == event::PathKind{static_cast<std::uint8_t>(p)}});
           });
  }

  void usable() {
    const auto tail = [](std::size_t kind, std::string_view size) {
      return std::string{",path=\""}.append(name(static_cast<event::PathKind>(kind))).append("\",size=\"").append(size).append("\"} ");
    };
    std::array<std::array<std::string, 2>, kPaths> tails;  // small, full
    for (std::size_t p = 0; p < kPaths; ++p) tails[p] = {tail(p, "small"), tail(p, "full")};
    gauges("p2p_path_usable", "1 if a proved path lets packets of that size through, 0 if only smaller ones.",
           [&](std::string_view head, const PeerSeries& peer) {
             for (std::size_t p = 0; p < kPaths; ++p) {
               const UsablePath& path = peer.gauges.usable[p];
               if (!path) continue;
               out_.sample(head, peer.text->label, tails[p][0], std::uint64_t{1});
               if (*path != event::PathSize::unknown)
                 out_.sample(head, peer.text->label, tails[p][1], std::uint64_t{*path == event::PathSize::full});
             }
           });
  }

  void breaker() {
    std::array<std::string, enum_count<event::BreakerState>()> tails;
    for (std::size_t s = 0; s < tails.size(); ++s)
      tails[s] = std::string{",state=\""}.append(name(static_cast<event::BreakerState>(s))).append("\"} ");
    gauges("p2p_circuit_breaker_state", "1 on the state of the peer's circuit breaker, 0 on the others.",
           [&](std::string_view head, const PeerSeries& peer) {
             for (std::size_t s = 0; s < tails.size(); ++s)
               out_.sample(head, peer.text->label, tails[s],
                           std::uint64_t{peer.gauges.breaker == static_cast<event::BreakerState>(s)});
           });
  }

  void loss_ratio() {
    gauges("p2p_probe_loss_ratio", "Share of probes lost in the last 60 s.",
           [&](std::string_view head, const PeerSeries& peer) {
             for (std::size_t d = 0; d < 2; ++d)
               if (peer.gauges.loss[d] >= 0)
                 out_.sample(head, peer.text->label, kByProbeDirection[d], peer.gauges.loss[d]);
           });
  }

  void counter(std::string_view name, std::string_view help, std::uint64_t PeerCounters::*member) {
    counters(name, help, [&](std::string_view head, std::string_view label, const PeerCounters& c) {
      out_.sample(head, label, kPlain, c.*member);
    });
  }

  void packets(std::string_view name, std::string_view help, event::Direction direction) {
    counters(name, help, [&](std::string_view head, std::string_view label, const PeerCounters& c) {
      out_.sample(head, label, kPlain, c.packets[static_cast<std::size_t>(direction)]);
    });
  }

  void probes(std::string_view name, std::string_view help, ByDirection<std::uint64_t> PeerCounters::*member) {
    counters(name, help, [&](std::string_view head, std::string_view label, const PeerCounters& c) {
      for (std::size_t d = 0; d < 2; ++d) out_.sample(head, label, kByProbeDirection[d], (c.*member)[d]);
    });
  }

  void bytes() {
    std::array<std::array<std::string, 2>, kPaths> tails;
    for (std::size_t p = 0; p < kPaths; ++p)
      for (std::size_t d = 0; d < 2; ++d)
        tails[p][d] = std::string{",direction=\""}
                          .append(name(static_cast<event::Direction>(d)))
                          .append("\",path=\"")
                          .append(name(static_cast<event::PathKind>(p)))
                          .append("\"} ");
    counters("p2p_bytes_transferred_total", "UDP payload sent to and received from a peer.",
             [&](std::string_view head, std::string_view label, const PeerCounters& c) {
               for (std::size_t p = 0; p < kPaths; ++p)
                 if (has(snapshot_.paths, p))
                   for (std::size_t d = 0; d < 2; ++d) out_.sample(head, label, tails[p][d], c.bytes[p][d]);
             });
  }

  void rtt() {
    constexpr std::string_view kName = "p2p_rtt_milliseconds";
    const std::string sum = opening(kName, "_sum");
    const std::string count = opening(kName, "_count");
    std::array<std::string, kRttBounds.size() + 1> tails;
    for (std::size_t i = 0; i < kRttBounds.size(); ++i) tails[i] = ",le=\"" + bound_text(kRttBounds[i]) + "\"} ";
    tails.back() = ",le=\"+Inf\"} ";
    out_.family(kName, "Round trip of an echo over a bidirectional stream.", SeriesType::histogram);
    each(opening(kName, "_bucket"), [&](std::string_view head, std::string_view label, const PeerCounters& c) {
      std::uint64_t cumulative = 0;
      for (std::size_t i = 0; i < tails.size(); ++i) out_.sample(head, label, tails[i], cumulative += c.rtt.counts[i]);
      constexpr int kNanosecondsInMilliseconds = 6;
      out_.decimal(sum, label, kPlain, c.rtt.sum.count(), kNanosecondsInMilliseconds);
      out_.sample(count, label, kPlain, cumulative);
    });
  }

 private:
  template <class Write>
  void gauges(std::string_view name, std::string_view help, Write write) {
    out_.family(name, help, SeriesType::gauge);
    const std::string head = opening(name);
    for (const PeerSeries& peer : snapshot_.peers)
      if (peer.gauges.known) write(std::string_view{head}, peer);
  }

  template <class Write>
  void counters(std::string_view name, std::string_view help, Write write) {
    out_.family(name, help, SeriesType::counter);
    each(opening(name), write);
  }

  template <class Write>
  void each(const std::string& head, Write write) {
    for (const PeerSeries& peer : snapshot_.peers) write(std::string_view{head}, peer.text->label, peer.counters);
    if (snapshot_.has_other) write(std::string_view{head}, kOtherLabel, snapshot_.other);
  }

  Exposer& out_;
  const MetricsSnapshot& snapshot_;
};

}  // namespace

void write_peers(Exposer& exposer, const MetricsSnapshot& snapshot) {
  if (!snapshot.per_peer || (snapshot.peers.empty() && !snapshot.has_other)) return;
  PeerWriter out{exposer, snapshot};
  out.info();
  out.gauge("p2p_peer_connected", "1 while a live path carries the session with the peer.", 0,
            [](const PeerGauges& g) { return std::int64_t{g.path != event::PathKind::none}; });
  out.path();
  out.usable();
  out.breaker();
  out.gauge("p2p_peer_last_seen_timestamp_seconds", "When the peer last proved that it is there.", 3,
            [](const PeerGauges& g) { return g.last_seen_ms; });
  out.rtt();
  out.probes("p2p_probes_expected_total", "Probe datagrams whose fate is known.", &PeerCounters::probes_expected);
  out.probes("p2p_probes_lost_total", "Probe datagrams that were lost.", &PeerCounters::probes_lost);
  out.loss_ratio();
  out.counter("p2p_probes_suspect_total", "Probes left out because this node was late or starved.",
              &PeerCounters::probes_suspect);
  out.gauge("p2p_jitter_seconds", "Interarrival jitter of the peer's probes (RFC 3550).", 9,
            [](const PeerGauges& g) { return g.jitter_ns; });
  out.gauge_by_direction("p2p_bandwidth_bytes_per_second", "This daemon's traffic with the peer, mean of 60 s.",
                         &PeerGauges::bandwidth);
  out.gauge_by_direction("p2p_bandwidth_estimate_bytes_per_second", "Result of the last active measurement.",
                         &PeerGauges::estimate);
  out.bytes();
  out.packets("p2p_quic_packets_sent_total", "UDP datagrams with QUIC packets, sent to the peer.",
              event::Direction::outbound);
  out.packets("p2p_quic_packets_received_total", "UDP datagrams with QUIC packets, received from the peer.",
              event::Direction::inbound);
  out.counter("p2p_quic_datagrams_lost_total", "QUIC DATAGRAM frames that were declared lost.",
              &PeerCounters::datagrams_lost);
  out.gauge("p2p_quic_cwnd_bytes", "Congestion window of the session.", 0, [](const PeerGauges& g) { return g.cwnd; });
  out.gauge("p2p_quic_bytes_in_flight", "Bytes sent and not yet acknowledged.", 0,
            [](const PeerGauges& g) { return g.in_flight; });
}

}  // namespace pw::observe
