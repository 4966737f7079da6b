#include "observe/node_metrics.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "observe/direct_metrics.hpp"
#include "observe/failover_metrics.hpp"
#include "observe/peer_series.hpp"
#include "observe/recovery_metrics.hpp"
#include "observe/registry_families.hpp"
#include "observe/service_metrics.hpp"
#include "observe/traversal_metrics.hpp"

namespace pw::observe {
namespace {

using namespace event;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

const Bounds kRttMilliseconds(kRttBounds.begin(), kRttBounds.end());
const Bounds kRttSeconds = {.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .2, .5, 1, 2.5};
const Bounds kSessionSeconds = {1, 10, 60, 300, 900, 3600, 10800, 43200, 86400, 604800};
const Bounds kConnectSeconds = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300};
const Bounds kThroughputMbps = {1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};
const Bounds kLateSeconds = {.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5};

std::string text(std::string_view s) { return std::string{s}; }

/// A histogram by path: direct paths from the start, relays when one was used.
class HistogramByPath {
 public:
  HistogramByPath(Family<Histogram>& family, const Bounds& bounds) : family_{family}, bounds_{bounds} {
    (*this)[PathKind::direct_v4];
    (*this)[PathKind::direct_v6];
  }
  Histogram& operator[](PathKind path) {
    Histogram*& found = paths_[static_cast<std::size_t>(path)];
    if (found == nullptr) found = &family_.Add({{"path", text(name(path))}}, bounds_);
    return *found;
  }

 private:
  Family<Histogram>& family_;
  const Bounds& bounds_;
  std::array<Histogram*, enum_count<PathKind>()> paths_{};
};

class Transitions {
 public:
  explicit Transitions(Registry& r)
      : family_{counters(r, "p2p_connection_state_transitions_total", "Changes of a session's state.")} {
    using S = SessionState;
    constexpr std::pair<S, S> kLegal[] = {
        {S::disconnected, S::connecting},    {S::connecting, S::connected},    {S::connecting, S::failed},
        {S::connecting, S::disconnecting},   {S::connected, S::disconnecting}, {S::connected, S::failed},
        {S::disconnecting, S::disconnected}, {S::failed, S::connecting},       {S::failed, S::disconnected}};
    for (const auto& [from, to] : kLegal) (*this)(from, to);
  }
  Counter& operator()(SessionState from, SessionState to) {
    Counter*& found = counters_[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
    if (found == nullptr) found = &family_.Add({{"from_state", text(name(from))}, {"to_state", text(name(to))}});
    return *found;
  }

 private:
  static constexpr std::size_t kStates = enum_count<SessionState>();
  Family<Counter>& family_;
  std::array<std::array<Counter*, kStates>, kStates> counters_{};
};

class PathChanges {
 public:
  explicit PathChanges(Registry& r)
      : family_{counters(r, "p2p_path_changes_total", "Changes of the path that carries a session.")} {
    using P = PathKind;
    using R = PathChangeReason;
    for (const P path : {P::direct_v4, P::direct_v6}) {
      (*this)(P::none, path, R::upgraded);
      for (const R reason : {R::path_lost, R::network_change, R::operator_request}) (*this)(path, P::none, reason);
      const P other = path == P::direct_v4 ? P::direct_v6 : P::direct_v4;
      for (const R reason : {R::upgraded, R::better_rtt, R::path_lost, R::network_change}) (*this)(path, other, reason);
    }
  }
  Counter& operator()(PathKind from, PathKind to, PathChangeReason reason) {
    Counter*& found = counters_[index(from, to, reason)];
    if (found == nullptr)
      found =
          &family_.Add({{"from_path", text(name(from))}, {"to_path", text(name(to))}, {"reason", text(name(reason))}});
    return *found;
  }

 private:
  static constexpr std::size_t kKinds = enum_count<PathKind>();
  static constexpr std::size_t kReasons = enum_count<PathChangeReason>();
  static std::size_t index(PathKind from, PathKind to, PathChangeReason reason) {
    return (static_cast<std::size_t>(from) * kKinds + static_cast<std::size_t>(to)) * kReasons +
           static_cast<std::size_t>(reason);
  }
  Family<Counter>& family_;
  std::array<Counter*, kKinds * kKinds * kReasons> counters_{};
};

/// Discovery's methods that exist: others are added to the closed set when they work.
class Methods {
 public:
  Methods(Family<Counter>& family, std::initializer_list<DiscoveryMethod> existing) : family_{family} {
    for (const DiscoveryMethod method : existing) (*this)[method];
  }
  Counter& operator[](DiscoveryMethod method) {
    Counter*& found = counters_[static_cast<std::size_t>(method)];
    if (found == nullptr) found = &family_.Add({{"discovery_method", text(name(method))}});
    return *found;
  }

 private:
  Family<Counter>& family_;
  std::array<Counter*, enum_count<DiscoveryMethod>()> counters_{};
};

}  // namespace

/// What a NAT does to one family, as labels: of a family that was not measured there is no series.
class NatTypes {
 public:
  explicit NatTypes(Registry& r)
      : types_{gauges(r, "nat_local_type_info", "What the NATs in front of this node do (RFC 4787), as measured.")},
        lifetimes_{gauges(r, "nat_mapping_lifetime_seconds",
                          "For so long a NAT was seen to keep a mapping, or what lets a remote in, without traffic.")} {}
  void set(const NatSnapshot& nat) {
    for (std::size_t i = 0; i < series_.size(); ++i) {
      const auto found = std::ranges::find(nat.families, i == 0 ? Family::v4 : Family::v6, &NatFamily::family);
      set(series_[i], found == nat.families.end() ? std::nullopt : found->behaviour);
    }
  }

 private:
  using Family = pw::Family;
  struct Series {
    prometheus::Labels labels;
    Gauge* type = nullptr;
    Gauge* lifetime = nullptr;
  };
  void set(Series& s, const std::optional<NatBehaviour>& b) {
    prometheus::Labels labels;
    if (b && b->mapping != NatMapping::unknown)
      labels = {{"family", text(name_of(b->family))},
                {"mapping", text(name(b->mapping))},
                {"filtering", text(name(b->filtering))},
                {"hairpin", text(name(b->hairpin))}};
    if (s.labels != labels) {
      if (s.type != nullptr) types_.Remove(s.type);
      s.type = labels.empty() ? nullptr : &types_.Add(labels, 1.0);
      s.labels = std::move(labels);
    }
    if (b && b->lifetime) {
      if (s.lifetime == nullptr) s.lifetime = &lifetimes_.Add({{"family", text(name_of(b->family))}});
      s.lifetime->Set(to_seconds(*b->lifetime));
    } else if (s.lifetime != nullptr) {
      lifetimes_.Remove(std::exchange(s.lifetime, nullptr));
    }
  }

  prometheus::Family<Gauge>& types_;
  prometheus::Family<Gauge>& lifetimes_;
  std::array<Series, 2> series_;  // by Family
};

/// The state of each protocol: there are no series where no mapping is wanted.
class PortMappings {
 public:
  explicit PortMappings(Registry& r)
      : family_{gauges(r, "nat_port_mappings", "1 for the state of each protocol that maps this node's port.")} {}
  void set(const std::optional<PortMappingSnapshot>& mapping) {
    for (std::size_t p = 0; p < series_.size(); ++p)
      for (std::size_t s = 0; s < series_[p].size(); ++s) {
        Gauge*& gauge = series_[p][s];
        if (!mapping) {
          if (gauge != nullptr) family_.Remove(std::exchange(gauge, nullptr));
          continue;
        }
        const auto state = static_cast<MappingState>(s);
        if (gauge == nullptr)
          gauge = &family_.Add(
              {{"protocol", text(name(static_cast<MappingProtocol>(p)))}, {"state", text(name(state))}});
        gauge->Set(mapping->protocols[p].state == state ? 1 : 0);
      }
  }

 private:
  Family<Gauge>& family_;
  std::array<std::array<Gauge*, enum_count<MappingState>()>, enum_count<MappingProtocol>()> series_{};
};

struct NodeMetrics::Impl {
  Registry registry;

  Transitions transitions{registry};
  CounterPer<DialResult> attempts{
      counters(registry, "p2p_connection_attempts_total", "Dials that have ended, by result."), "result"};
  GaugePer<SessionState> active{gauges(registry, "p2p_connections_active", "Sessions now, by state."), "state"};
  HistogramPer<CloseReason> duration{
      histograms(registry, "p2p_connection_duration_seconds", "How long sessions were up."), "close_reason",
      kSessionSeconds};
  CounterPer<ErrorType> errors{counters(registry, "p2p_connection_errors_total", "Connections that failed, by error."),
                               "error_type"};
  Gauge& configured{gauges(registry, "p2p_peers_configured", "Peers in the configuration.").Add({})};
  GaugePer<SessionState> peers{gauges(registry, "p2p_peers", "Peers known now, by state of their session."), "state"};
  GaugePer<PathKind> by_path{gauges(registry, "p2p_peers_by_path", "Peers known now, by path in use."), "path"};
  PathChanges path_changes{registry};
  FailoverMetrics failovers{registry};
  DirectMetrics direct{registry};
  Histogram& time_to_connected{
      histograms(registry, "p2p_time_to_connected_seconds", "From the first attempt to a session.")
          .Add({}, kConnectSeconds)};

  HistogramByPath datagram_rtt{
      histograms(registry, "p2p_datagram_rtt_seconds", "Round trip of a probe, never retransmitted."),
      kRttSeconds};
  HistogramByPath latency{histograms(registry, "connection_latency_ms", "Smoothed RTT of live paths, every 10 s."),
                          kRttMilliseconds};
  HistogramPer<Direction> throughput{
      histograms(registry, "connection_throughput_mbps", "Active bandwidth measurements, in 10^6 bit/s."), "direction",
      kThroughputMbps};

  NatTypes nat{registry};
  PortMappings port_mappings{registry};
  TraversalMetrics traversals{registry};
  RecoveryMetrics recovery{registry};

  Methods discovered{counters(registry, "p2p_discovered_peers_total", "Peers that became known, by method."),
                     {DiscoveryMethod::configured, DiscoveryMethod::file, DiscoveryMethod::dns, DiscoveryMethod::bootstrap,
                      DiscoveryMethod::manual, DiscoveryMethod::inbound}};
  Methods discovery_failures{
      counters(registry, "p2p_discovery_failures_total", "Addresses or lists of peers that could not be had."),
      {DiscoveryMethod::configured, DiscoveryMethod::file, DiscoveryMethod::dns, DiscoveryMethod::manual}};

  Family<Gauge>& certificate_family{gauges(registry, "peerwatch_tls_certificate_expiry_timestamp_seconds",
                                           "When the certificate of this node's WebSocket ends.")};
  Gauge* certificate = nullptr;
  Family<Gauge>& node_info_family{gauges(registry, "peerwatch_node_info", "This node.")};
  Gauge* node_info = nullptr;
  Histogram& loop_lag{histograms(registry, "peerwatch_event_loop_lag_seconds",
                                 "How long the network thread was busy before it looked at its sockets again.")
                          .Add({}, kLateSeconds)};
  Histogram& timer_error{
      histograms(registry, "peerwatch_timer_error_seconds", "How much later than asked timers fired.")
          .Add({}, kLateSeconds)};
  Counter& socket_drops{counters(registry, "peerwatch_socket_drops_total",
                                 "Datagrams that the kernel dropped because the socket buffer was full.")
                            .Add({})};
  CounterPer<RejectReason> packets_rejected{
      counters(registry, "peerwatch_packets_rejected_total", "Datagrams on the UDP port that were dropped."), "reason"};
  CounterPer<PipeRefusal> pipes_refused{
      counters(registry, "p2p_relay_pipes_refused_total", "WebSockets of clients that were refused, or ended here."), "reason"};
  CounterPer<ChannelClosure> channels_closed{
      counters(registry, "p2p_inbound_channels_closed_total",
               "Channels through relays that others opened to this node, and that it closed."),
      "reason"};
  CounterPer<CheckRefusal> checks_refused{
      counters(registry, "peerwatch_checks_refused_total", "Connectivity checks that were refused."), "reason"};
  CounterPer<CandidateRefusal, 1> candidates_refused{
      counters(registry, "peerwatch_candidates_refused_total", "Addresses that peers listed as theirs and that were refused."),
      "reason"};
  CounterPer<Queue> queue_dropped{
      counters(registry, "peerwatch_queue_dropped_total", "Entries that a full queue dropped."), "queue"};
  CounterPer<Budget> budget_denied{
      counters(registry, "peerwatch_budget_denied_total", "How often a budget held something back."), "budget"};
  Counter& clock_jumps{
      counters(registry, "peerwatch_clock_jumps_total", "Times the machine or this process stood still.").Add({})};
  Counter& series_evicted{
      counters(registry, "peerwatch_series_evicted_total", "Per-peer series that left the exposition.").Add({})};
  Gauge& reload_successful{
      gauges(registry, "peerwatch_config_last_reload_successful", "1 if the last reading of the configuration worked.")
          .Add({}, 1.0)};
  Gauge& reload_time{gauges(registry, "peerwatch_config_last_reload_success_timestamp_seconds",
                            "When a configuration was last read with success.")
                         .Add({})};

  ServiceMetrics services;

  std::uint64_t kernel_drops = 0;
  std::uint64_t evicted = 0;
  std::optional<Instant> reloaded_at;  // success that has no wall-clock time yet
  bool started = false;

  // What an event adds here; the others add nothing.
  void on(const auto&, Instant) {}
  void on(const PeerAdded& e, Instant) { discovered[e.method].Increment(); }
  void on(const DiscoveryFailed& e, Instant) { discovery_failures[e.method].Increment(); }
  void on(const StateChanged& e, Instant) { transitions(e.from, e.to).Increment(); }
  void on(const DialEnded& e, Instant) { attempts[e.result].Increment(); }
  void on(const ConnectionFailed& e, Instant) { errors[e.error].Increment(); }
  void on(const BreakerChanged& e, Instant) { recovery.count(e); }
  void on(const SessionEstablished& e, Instant at) {
    time_to_connected.Observe(to_seconds(e.since_first_attempt));
    direct.count(e, at);
  }
  void on(const SessionEnded& e, Instant) {
    duration[e.reason].Observe(to_seconds(e.lasted));
    direct.count(e);
  }
  void on(const PathChanged& e, Instant at) {
    path_changes(e.from, e.to, e.reason).Increment();
    direct.count(e, at);
  }
  void on(const PathFailedOver& e, Instant) { failovers.count(e); }
  void on(const ProbeMeasured& e, Instant) {
    if (!e.suspect) datagram_rtt[e.path].Observe(to_seconds(e.rtt));
  }
  void on(const PathLatency& e, Instant) { latency[e.path].Observe(to_milliseconds(e.rtt)); }
  void on(const BandwidthMeasured& e, Instant) {
    constexpr double kBitsInMegabit = 1e6;
    throughput[e.direction].Observe(e.bytes_per_second * 8 / kBitsInMegabit);
  }
  void on(const PacketRejected& e, Instant) { packets_rejected[e.reason].Increment(); }
  void on(const PipeRefused& e, Instant) { pipes_refused[e.reason].Increment(); }
  void on(const InboundChannelClosed& e, Instant) { channels_closed[e.reason].Increment(); }
  void on(const CheckRefused& e, Instant) { checks_refused[e.reason].Increment(); }
  void on(const CandidatesRefused& e, Instant) { candidates_refused[e.reason].Increment(e.count); }
  void on(const TraversalStarted& e, Instant) { traversals.count(e); }
  void on(const TraversalEnded& e, Instant) { traversals.count(e); }
  void on(const ServiceRequested& e, Instant) { services.count(e); }
  void on(const QueueDropped& e, Instant) { queue_dropped[e.queue].Increment(static_cast<double>(e.count)); }
  void on(const BudgetDenied& e, Instant) { budget_denied[e.budget].Increment(static_cast<double>(e.count)); }
  void on(const ClockJumped&, Instant) { clock_jumps.Increment(); }
  void on(const ConfigReloaded& e, Instant at) {
    reload_successful.Set(e.success ? 1 : 0);
    if (e.success) reloaded_at = at;
  }
};

NodeMetrics::NodeMetrics(const MetricsOptions& options) : impl_{std::make_unique<Impl>()} {
  gauges(impl_->registry, "peerwatch_build_info", "The program.").Add({{"version", options.version}}, 1.0);
}
NodeMetrics::~NodeMetrics() = default;

void NodeMetrics::count(const Record& record) {
  std::visit([&](const auto& e) { impl_->on(e, record.at); }, record.event);
  impl_->recovery.sort(record.event);
}

void NodeMetrics::loop_lag(Duration lag) { impl_->loop_lag.Observe(to_seconds(lag)); }
void NodeMetrics::timer_error(Duration late) { impl_->timer_error.Observe(to_seconds(late)); }

void NodeMetrics::socket_drops(std::uint64_t total) {
  // A total that fell belongs to a socket that was opened anew.
  const std::uint64_t added = total >= impl_->kernel_drops ? total - impl_->kernel_drops : total;
  impl_->kernel_drops = total;
  impl_->socket_drops.Increment(static_cast<double>(added));
}

void NodeMetrics::series_evicted(std::uint64_t total) {
  impl_->series_evicted.Increment(static_cast<double>(total - impl_->evicted));
  impl_->evicted = total;
}

void NodeMetrics::set(const NodeSnapshot& node, WallTime wall) {
  std::array<std::size_t, enum_count<SessionState>()> states{};
  std::array<std::size_t, enum_count<PathKind>()> paths{};
  std::size_t configured = 0;
  for (const PeerSnapshot& peer : node.peers) {
    ++states[static_cast<std::size_t>(peer.state)];
    ++paths[static_cast<std::size_t>(peer.path)];
    if (peer.method == DiscoveryMethod::configured) ++configured;
  }
  Impl& m = *impl_;
  for (std::size_t i = 0; i < states.size(); ++i) {
    m.active[static_cast<SessionState>(i)].Set(static_cast<double>(states[i]));
    m.peers[static_cast<SessionState>(i)].Set(static_cast<double>(states[i]));
  }
  for (std::size_t i = 0; i < paths.size(); ++i) m.by_path[static_cast<PathKind>(i)].Set(static_cast<double>(paths[i]));
  m.recovery.set(node);
  m.configured.Set(static_cast<double>(configured));
  m.services.set(node);
  m.nat.set(node.nat);
  m.port_mappings.set(node.nat.mapping);

  if (!m.started && !m.reloaded_at) m.reloaded_at = node.started;  // the configuration was read to start with
  m.started = true;
  if (m.reloaded_at) {
    const auto at = wall.time_since_epoch() + (*m.reloaded_at - node.at);
    m.reload_time.Set(static_cast<double>(std::chrono::floor<std::chrono::milliseconds>(at).count()) / 1e3);
    m.reloaded_at.reset();
  }
}

void NodeMetrics::node_info(const std::string& label, const std::string& node, const std::string& mesh) {
  if (impl_->node_info != nullptr) impl_->node_info_family.Remove(impl_->node_info);
  prometheus::Labels labels{{"name", node}, {"mesh", mesh}};
  if (!label.empty()) labels.emplace("peer_id", label);
  impl_->node_info = &impl_->node_info_family.Add(labels, 1.0);
}

void NodeMetrics::certificate_expiry(std::optional<WallTime> at) {
  if (impl_->certificate != nullptr) impl_->certificate_family.Remove(impl_->certificate);
  impl_->certificate = at ? &impl_->certificate_family.Add({}, to_seconds(at->time_since_epoch())) : nullptr;
}

std::vector<prometheus::MetricFamily> NodeMetrics::collect() const {
  auto families = impl_->registry.Collect();
  impl_->services.append(families);
  return families;
}
Registry& NodeMetrics::registry() { return impl_->registry; }

}  // namespace pw::observe
