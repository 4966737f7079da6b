// Metrics are folds over events: compared with a model so naive that it can't be wrong in the same way.
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"
#include "event/failure.hpp"
#include "exposition_reader.hpp"
#include "world.hpp"

using namespace pw;
using namespace pw::event;
using namespace pw::test;
using observe::Exposition;
using observe::Metrics;

namespace {

template <class E>
E any(Rng& rng) {
  return static_cast<E>(rng.below(enum_count<E>()));
}

Event random_event(Rng& rng, const PeerId& p) {
  const Duration time = rng.up_to(3s);
  switch (rng.below(19)) {
    case 0:
      return StateChanged{p, any<SessionState>(rng), any<SessionState>(rng)};
    case 1:
      return DialEnded{p, any<DialResult>(rng), any<ErrorType>(rng), "", time, 0s};
    case 2:
      return ConnectionFailed{std::nullopt, address(), any<ErrorType>(rng), ""};
    case 3:
      return SessionEnded{p, any<CloseReason>(rng), time, ""};
    case 4:
      return SessionEstablished{p, true, time, any<PathKind>(rng), {{}, address()}};
    case 5:
      return PathChanged{p, any<PathKind>(rng), any<PathKind>(rng), any<PathChangeReason>(rng)};
    case 6:
      return EchoMeasured{p, PathKind::direct_v4, time, rng.chance(0.2)};
    case 7:
      return ProbeMeasured{p, any<PathKind>(rng), time, rng.chance(0.2)};
    case 8: {
      const auto n = static_cast<std::uint32_t>(rng.below(10));
      return ProbesAccounted{p, any<ProbeDirection>(rng), n, n / 2, n / 3};
    }
    case 9:
      return PathLatency{p, any<PathKind>(rng), time};
    case 10:
      return BandwidthMeasured{p, any<Direction>(rng), 1000, 1s, static_cast<double>(rng.below(1'000'000'000))};
    case 11:
      return PacketRejected{any<RejectReason>(rng), address()};
    case 12:
      return QueueDropped{any<Queue>(rng), rng.below(100)};
    case 13:
      return PathFailedOver{p, any<PathKind>(rng), any<PathKind>(rng), time};
    case 14:
      return BudgetDenied{any<Budget>(rng), rng.below(100)};
    case 15: {
      TraversalEnded e{p, TraversalResult::success, TraversalMethod::birthday, TraversalFailure::none, "", {}, pw::Family::v4, {}, {}};
      e.phases[rng.below(e.phases.size())] = time;
      return e;
    }
    case 16:
      return BreakerChanged{p, any<BreakerState>(rng), any<BreakerState>(rng), 3, time};
    case 17:
      return ServiceDown{p, true, any<ErrorType>(rng), "", rng.chance(0.5)};
    default:
      return ClockJumped{time};
  }
}

std::string text(std::string_view s) { return std::string{s}; }
std::string label(const PeerId& id) { return id.to_short(); }

/// Series to value; of histograms only the count and the sum.
struct Model {
  std::map<std::string, double> values;

  void add(const std::string& name, const LabelMap& labels, double by = 1) { values[series_key(name, labels)] += by; }
  void observe(const std::string& name, const LabelMap& labels, double value) {
    add(name + "_count", labels);
    add(name + "_sum", labels, value);
  }
  std::map<PeerId, Instant> not_direct;  // first attempt
  static bool direct(PathKind kind) { return kind == PathKind::direct_v4 || kind == PathKind::direct_v6; }

  void went_direct(const PeerId& peer, Instant at) {
    if (not_direct.contains(peer)) observe("p2p_time_to_direct_seconds", {}, to_seconds(at - not_direct.at(peer)));
    not_direct.erase(peer);
  }
  void fold_direct(const Event& event, Instant at) {
    if (const auto* e = std::get_if<SessionEstablished>(&event)) {
      not_direct[e->peer] = at - e->since_first_attempt;
      if (direct(e->path)) went_direct(e->peer, at);
    }
    if (const auto* e = std::get_if<PathChanged>(&event); e != nullptr && direct(e->to)) went_direct(e->peer, at);
    if (const auto* e = std::get_if<SessionEnded>(&event)) not_direct.erase(e->peer);
  }
  void fold(const Event& event, Instant at) {
    if (const auto* e = std::get_if<StateChanged>(&event))
      add("p2p_connection_state_transitions_total",
          {{"from_state", text(name(e->from))}, {"to_state", text(name(e->to))}});
    if (const auto* e = std::get_if<DialEnded>(&event))
      add("p2p_connection_attempts_total", {{"result", text(name(e->result))}});
    if (const auto* e = std::get_if<ConnectionFailed>(&event))
      add("p2p_connection_errors_total", {{"error_type", text(name(e->error))}});
    if (const auto* e = std::get_if<SessionEnded>(&event))
      observe("p2p_connection_duration_seconds", {{"close_reason", text(name(e->reason))}}, to_seconds(e->lasted));
    if (const auto* e = std::get_if<SessionEstablished>(&event))
      observe("p2p_time_to_connected_seconds", {}, to_seconds(e->since_first_attempt));
    fold_direct(event, at);
    if (const auto* e = std::get_if<PathChanged>(&event))
      add("p2p_path_changes_total",
          {{"from_path", text(name(e->from))}, {"to_path", text(name(e->to))}, {"reason", text(name(e->reason))}});
    if (const auto* e = std::get_if<PathFailedOver>(&event))
      observe("p2p_path_failover_seconds", {{"from_path", text(name(e->from))}, {"to_path", text(name(e->to))}},
              to_seconds(e->took));
    if (const auto* e = std::get_if<EchoMeasured>(&event); e != nullptr && !e->suspect)
      observe("p2p_rtt_milliseconds", {{"peer_id", label(e->peer)}}, to_milliseconds(e->rtt));
    if (const auto* e = std::get_if<ProbeMeasured>(&event); e != nullptr && !e->suspect)
      observe("p2p_datagram_rtt_seconds", {{"path", text(name(e->path))}}, to_seconds(e->rtt));
    if (const auto* e = std::get_if<ProbesAccounted>(&event)) {
      const LabelMap labels{{"peer_id", label(e->peer)}, {"direction", text(name(e->direction))}};
      add("p2p_probes_expected_total", labels, e->expected);
      add("p2p_probes_lost_total", labels, e->lost);
      add("p2p_probes_suspect_total", {{"peer_id", label(e->peer)}}, e->suspect);
    }
    if (const auto* e = std::get_if<PathLatency>(&event))
      observe("connection_latency_ms", {{"path", text(name(e->path))}}, to_milliseconds(e->rtt));
    if (const auto* e = std::get_if<BandwidthMeasured>(&event))
      observe("connection_throughput_mbps", {{"direction", text(name(e->direction))}}, e->bytes_per_second * 8 / 1e6);
    if (const auto* e = std::get_if<PacketRejected>(&event))
      add("peerwatch_packets_rejected_total", {{"reason", text(name(e->reason))}});
    if (const auto* e = std::get_if<InboundChannelClosed>(&event))
      add("p2p_inbound_channels_closed_total", {{"reason", text(name(e->reason))}});
    if (const auto* e = std::get_if<QueueDropped>(&event))
      add("peerwatch_queue_dropped_total", {{"queue", text(name(e->queue))}}, static_cast<double>(e->count));
    if (const auto* e = std::get_if<BudgetDenied>(&event))
      add("peerwatch_budget_denied_total", {{"budget", text(name(e->budget))}}, static_cast<double>(e->count));
    if (const auto* e = std::get_if<TraversalEnded>(&event)) {
      add("nat_results_total", {{"result", text(name(e->result))}, {"method", text(name(e->method))}, {"failure", text(name(e->failure))}});
      add("nat_traversal_by_type_total", {{"local_nat", text(name(e->local_nat))}, {"remote_nat", text(name(e->remote_nat))},
                                          {"family", text(name_of(e->family))}, {"result", text(name(e->result))}});
      for (std::size_t i = 0; i < e->phases.size(); ++i)
        if (e->phases[i])
          observe("nat_phase_duration_seconds", {{"phase", text(name(static_cast<TraversalPhase>(i)))}}, to_seconds(*e->phases[i]));
    }
    if (const auto* e = std::get_if<BreakerChanged>(&event))
      add("p2p_circuit_breaker_transitions_total", {{"to_state", text(name(e->to))}});
    if (const auto category = category_of(event)) add("p2p_failures_total", {{"category", text(name(*category))}});
    if (std::holds_alternative<ClockJumped>(event)) add("peerwatch_clock_jumps_total", {});
  }
};

bool is_counted(const std::string& family_type, const std::string& sample) {
  return family_type == "counter" || (family_type == "histogram" && !sample.ends_with("_bucket"));
}

}  // namespace

TEST_CASE("counters and histograms equal a naive count of the events") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    Rng rng{seed};
    Metrics metrics{options()};
    Model model;
    std::vector<PeerSnapshot> peers;
    for (unsigned n = 1; n <= 5; ++n) {
      metrics.handle({Instant{}, PeerAdded{peer(n), DiscoveryMethod::configured}});
      peers.push_back({});
      peers.back().id = peer(n);
    }
    model.add("p2p_discovered_peers_total", {{"discovery_method", "static"}}, 5);
    for (int i = 0; i < 2000; ++i) {
      const Event e = random_event(rng, peer(1 + static_cast<unsigned>(rng.below(5))));
      const Instant at{i * 10ms};
      metrics.handle({at, e});
      model.fold(e, at);
    }
    const auto snapshot = metrics.snapshot(node_at(Instant{21s}, peers), kWall);
    const Exposed exposed = Exposed::read(render(*snapshot, Exposition::text), Exposition::text);
    const auto flat = exposed.flat();
    for (const auto& [series, value] : model.values) {
      INFO(series);
      REQUIRE(flat.contains(series));
      CHECK(flat.at(series) == Catch::Approx(value).epsilon(1e-12));
    }
    for (const auto& [name, family] : exposed.families)
      for (const Sample& s : family.samples)
        if (is_counted(family.type, s.name) && s.value != 0 && !name.starts_with("process_")) {
          INFO(series_key(s.name, s.labels));
          CHECK(model.values.contains(series_key(s.name, s.labels)));
        }
  }
}

TEST_CASE("an RTT falls into the first bucket whose bound it does not pass") {
  Metrics metrics{options()};
  metrics.handle({Instant{}, PeerAdded{peer(1), DiscoveryMethod::configured}});
  for (const Duration rtt : std::vector<Duration>{100us, 101us, 1ms, 2500ms, 2501ms})
    metrics.handle({Instant{}, EchoMeasured{peer(1), PathKind::direct_v4, rtt, false}});
  PeerSnapshot p;
  p.id = peer(1);
  const auto snapshot = metrics.snapshot(node_at(Instant{1s}, {p}), kWall);
  const Exposed e = Exposed::read(render(*snapshot, Exposition::openmetrics), Exposition::openmetrics);
  const auto bucket = [&](const char* le) {
    return e.value("p2p_rtt_milliseconds_bucket", {{"peer_id", label(peer(1))}, {"le", le}});
  };
  CHECK(bucket("0.1") == 1);
  CHECK(bucket("0.25") == 2);
  CHECK(bucket("1.0") == 3);
  CHECK(bucket("1000.0") == 3);
  CHECK(bucket("2500.0") == 4);
  CHECK(bucket("+Inf") == 5);
  CHECK(e.value("p2p_rtt_milliseconds_sum", {{"peer_id", label(peer(1))}}) == 5002.201);
}

TEST_CASE("everything that may happen starts at 0") {
  Metrics metrics{options()};
  const auto snapshot = metrics.snapshot(node_at(Instant{1s}), kWall);
  const Exposed e = Exposed::read(render(*snapshot, Exposition::text), Exposition::text);
  CHECK(e.value("p2p_connection_state_transitions_total", {{"from_state", "failed"}, {"to_state", "connecting"}}) == 0);
  for (const auto reason : names(RejectReason{}))
    CHECK(e.value("peerwatch_packets_rejected_total", {{"reason", text(reason)}}) == 0);
  for (const auto reason : names(observe::HttpReject{}))
    CHECK(e.value("peerwatch_http_rejected_total", {{"reason", text(reason)}}) == 0);
  CHECK(e.value("p2p_connections_active", {{"state", "connected"}}) == 0);
  CHECK(e.value("p2p_connection_duration_seconds_count", {{"close_reason", "peer_shutdown"}}) == 0);
  CHECK(!e.families.contains("p2p_peer_info"));
}

TEST_CASE("gauges show the snapshot, and what was not measured is absent") {
  Metrics metrics{options()};
  PeerSnapshot away;
  away.id = peer(2);
  away.state = SessionState::failed;
  away.method = DiscoveryMethod::inbound;
  const Instant now{100s};
  const auto snapshot = metrics.snapshot(node_at(now, {connected(1, now), away}), kWall);
  const Exposed e = Exposed::read(render(*snapshot, Exposition::text), Exposition::text);
  const std::string one = label(peer(1));
  const std::string two = label(peer(2));
  CHECK(e.value("p2p_peers", {{"state", "connected"}}) == 1);
  CHECK(e.value("p2p_peers", {{"state", "failed"}}) == 1);
  CHECK(e.value("p2p_connections_active", {{"state", "failed"}}) == 1);
  CHECK(e.value("p2p_peers_configured") == 1);
  CHECK(e.value("p2p_peers_by_path", {{"path", "direct_v4"}}) == 1);
  CHECK(e.value("p2p_peers_by_path", {{"path", "none"}}) == 1);
  CHECK(e.value("p2p_peer_info", {{"peer_id", one}, {"name", "node-1"}, {"version", "0.1.0"}}) == 1);
  CHECK(e.value("p2p_peer_connected", {{"peer_id", one}}) == 1);
  CHECK(e.value("p2p_peer_connected", {{"peer_id", two}}) == 0);
  CHECK(e.value("p2p_peer_path", {{"peer_id", one}, {"path", "direct_v4"}}) == 1);
  CHECK(e.value("p2p_peer_path", {{"peer_id", two}, {"path", "none"}}) == 1);
  CHECK(e.value("p2p_peer_last_seen_timestamp_seconds", {{"peer_id", one}}) == 1763720489.873);
  CHECK(e.value("p2p_jitter_seconds", {{"peer_id", one}}) == 0.00125);
  CHECK(e.value("p2p_probe_loss_ratio", {{"peer_id", one}, {"direction", "forward"}}) == 0.05);
  CHECK(e.value("p2p_probe_loss_ratio", {{"peer_id", one}, {"direction", "return"}}) == 0);
  CHECK(e.value("p2p_bandwidth_bytes_per_second", {{"peer_id", one}, {"direction", "inbound"}}) == 1500);
  CHECK(e.value("p2p_bandwidth_estimate_bytes_per_second", {{"peer_id", one}, {"direction", "outbound"}}) == 2.5e6);
  CHECK(e.value("p2p_bytes_transferred_total", {{"peer_id", one}, {"direction", "outbound"}, {"path", "direct_v4"}}) ==
        2001);
  CHECK(e.value("p2p_quic_packets_sent_total", {{"peer_id", one}}) == 20);
  CHECK(e.value("p2p_quic_packets_received_total", {{"peer_id", one}}) == 10);
  CHECK(e.value("p2p_quic_datagrams_lost_total", {{"peer_id", one}}) == 4);
  CHECK(e.value("p2p_quic_cwnd_bytes", {{"peer_id", one}}) == 12000);
  CHECK(e.value("p2p_quic_bytes_in_flight", {{"peer_id", one}}) == 0);
  for (const char* name : {"p2p_peer_last_seen_timestamp_seconds", "p2p_jitter_seconds", "p2p_quic_cwnd_bytes",
                           "p2p_quic_bytes_in_flight"})
    CHECK(!e.has(name, {{"peer_id", two}}));
  CHECK(!e.has("p2p_probe_loss_ratio", {{"peer_id", two}, {"direction", "forward"}}));
  CHECK(e.value("peerwatch_series") == static_cast<double>(e.series()));
}

TEST_CASE("relays appear as paths once one was seen") {
  Metrics metrics{options()};
  const LabelMap relay{{"peer_id", label(peer(1))}, {"direction", "inbound"}, {"path", "relay_quic"}};
  auto p = connected(1, Instant{1s});
  const auto before = metrics.snapshot(node_at(Instant{1s}, {p}), kWall);
  CHECK(!Exposed::read(render(*before, Exposition::text), Exposition::text).has("p2p_bytes_transferred_total", relay));
  p.paths.push_back({});
  p.paths.back().kind = PathKind::relay_quic;
  const auto after = metrics.snapshot(node_at(Instant{2s}, {p}), kWall);
  CHECK(Exposed::read(render(*after, Exposition::text), Exposition::text).value("p2p_bytes_transferred_total", relay) ==
        0);
}

TEST_CASE("the daemon's own numbers arrive") {
  Metrics metrics{options()};
  metrics.loop_lag(3ms);
  metrics.timer_error(200us);
  metrics.socket_drops(10);
  metrics.socket_drops(15);
  metrics.socket_drops(2);  // the socket was opened anew
  metrics.http().request("/metrics", 200, 4ms);
  metrics.http().request("/metrics", 200, 4ms);
  metrics.http().request("/metrics", 999999, 4ms);
  metrics.http().rejected(observe::HttpReject::rate_limited);
  for (int i = 0; i < 500; ++i) metrics.http().request("/made/up/" + std::to_string(i), 404, 1ms);
  auto node = node_at(Instant{60s});
  node.started = Instant{10s};
  (void)metrics.snapshot(node, kWall);
  metrics.handle({Instant{61s}, ConfigReloaded{false, "bad"}});
  node.at = Instant{62s};
  const auto snapshot = metrics.snapshot(node, kWall + 2s);
  const Exposed e = Exposed::read(render(*snapshot, Exposition::text), Exposition::text);
  CHECK(e.value("peerwatch_event_loop_lag_seconds_sum") == 0.003);
  CHECK(e.value("peerwatch_timer_error_seconds_count") == 1);
  CHECK(e.value("peerwatch_socket_drops_total") == 17);
  CHECK(e.value("peerwatch_http_requests_total", {{"route", "/metrics"}, {"code", "200"}}) == 2);
  CHECK(e.value("peerwatch_http_requests_total", {{"route", "/metrics"}, {"code", "0"}}) == 1);
  CHECK(e.value("peerwatch_http_request_duration_seconds_count", {{"route", "/metrics"}}) == 3);
  CHECK(e.value("peerwatch_http_rejected_total", {{"reason", "rate_limited"}}) == 1);
  CHECK(e.value("peerwatch_http_requests_total", {{"route", "other"}, {"code", "404"}}) == 500 - 63);
  CHECK(e.value("peerwatch_config_last_reload_successful") == 0);
  CHECK(e.value("peerwatch_config_last_reload_success_timestamp_seconds") == 1763720440.123);
  CHECK(e.value("peerwatch_build_info", {{"version", "0.1.0"}}) == 1);
  CHECK(e.value("peerwatch_node_info", {{"peer_id", label(peer(0))}, {"name", "node-a"}, {"mesh", "default"}}) == 1);
  CHECK(e.value("process_resident_memory_bytes") > 1e6);
  CHECK(e.value("process_open_fds") >= 3);
  CHECK(e.value("process_start_time_seconds") > 1.5e9);
}
