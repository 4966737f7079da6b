#include "observe/service_metrics.hpp"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <limits>

namespace pw::observe {
namespace {

using event::RequestResult;
using event::ServerSnapshot;
using event::ServiceRequest;
using event::Transport;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

ClientMetric::Label label(std::string_view key, std::string_view value) { return {std::string{key}, std::string{value}}; }

/// One family; it is kept only if it has samples.
class Writer {
 public:
  Writer(std::vector<MetricFamily>& out, std::string name, std::string help, MetricType type) : out_{out} {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }
  ~Writer() {
    if (!family_.metric.empty()) out_.push_back(std::move(family_));
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  void add(Labels labels, double value) {
    ClientMetric& m = metric(std::move(labels));
    (family_.type == MetricType::Counter ? m.counter.value : m.gauge.value) = value;
  }
  void add(Labels labels, std::uint64_t value) { add(std::move(labels), static_cast<double>(value)); }
  ClientMetric& metric(Labels labels) {
    ClientMetric& m = family_.metric.emplace_back();
    m.label = std::move(labels);
    return m;
  }

 private:
  std::vector<MetricFamily>& out_;
  MetricFamily family_;
};

std::string name_of(const ServerSnapshot& s) { return s.spec.name.empty() ? s.spec.id.to_string() : s.spec.name; }

}  // namespace

void ServiceMetrics::count(const event::ServiceRequested& e) {
  // Of what was given up there is no time.
  if (e.result == RequestResult::timeout || e.result == RequestResult::lost) return;
  Times& times = times_[e.server][static_cast<std::size_t>(e.request)];
  const double ms = to_milliseconds(e.took);
  ++times.buckets[static_cast<std::size_t>(std::ranges::lower_bound(kBounds, ms) - kBounds.begin())];
  times.sum += ms;
}

void ServiceMetrics::set(const event::NodeSnapshot& node) {
  servers_ = node.servers;
  serving_ = node.serving;
  std::erase_if(times_, [&](const auto& entry) {
    return std::ranges::none_of(servers_, [&](const ServerSnapshot& s) { return s.spec.id == entry.first; });
  });
}

void ServiceMetrics::append(std::vector<MetricFamily>& out) const {
  append_clients(out);
  if (serving_) append_server(out);
}

void ServiceMetrics::append_clients(std::vector<MetricFamily>& out) const {
  Writer requests{out, "bootstrap_requests_total", "Requests to bootstraps that have ended.", MetricType::Counter};
  Writer responses{out, "bootstrap_response_time_ms", "How long bootstraps took to answer.", MetricType::Histogram};
  Writer up{out, "bootstrap_up", "1 while this bootstrap is connected.", MetricType::Gauge};
  Writer relay_up{out, "p2p_relay_up", "1 while this relay is connected.", MetricType::Gauge};
  Writer relay_rtt{out, "p2p_relay_rtt_seconds", "Round trip to this relay, smoothed.", MetricType::Gauge};
  for (const ServerSnapshot& s : servers_) {
    const bool ready = s.state == event::ServerState::ready;
    if (s.spec.relay) {
      for (const Transport transport : {Transport::quic, Transport::websocket}) {
        if (transport == Transport::websocket && !s.spec.websocket) continue;
        const bool this_way = ready && s.transport == transport;
        const Labels labels{label("relay", name_of(s)), label("transport", name(transport))};
        relay_up.add(labels, this_way && s.grants_relay ? 1.0 : 0.0);
        if (this_way && s.rtt) relay_rtt.add(labels, to_seconds(*s.rtt));
      }
    }
    if (!s.spec.bootstrap) continue;
    const ClientMetric::Label who = label("bootstrap", name_of(s));
    up.add({who}, ready && s.grants_bootstrap ? 1.0 : 0.0);
    const auto known = times_.find(s.spec.id);
    for (std::size_t r = 0; r < enum_count<ServiceRequest>(); ++r) {
      const ClientMetric::Label request = label("request", name(static_cast<ServiceRequest>(r)));
      for (std::size_t i = 0; i < enum_count<RequestResult>(); ++i)
        requests.add({who, request, label("result", name(static_cast<RequestResult>(i)))}, s.requests[r][i]);
      const Times times = known == times_.end() ? Times{} : known->second[r];
      auto& histogram = responses.metric({who, request}).histogram;
      for (std::size_t i = 0; i < times.buckets.size(); ++i) {
        histogram.sample_count += times.buckets[i];
        const double bound = i < kBounds.size() ? kBounds[i] : std::numeric_limits<double>::infinity();
        histogram.bucket.push_back({histogram.sample_count, bound});
      }
      histogram.sample_sum = times.sum;
    }
  }
}

void ServiceMetrics::append_server(std::vector<MetricFamily>& out) const {
  const event::ServingStats& s = serving_->stats;
  if (serving_->bootstrap) {
    Writer stun{out, "stun_requests_total", "STUN datagrams of strangers, by what became of them.", MetricType::Counter};
    for (std::size_t i = 0; i < s.stun.size(); ++i)
      stun.add({label("result", name(static_cast<event::StunResult>(i)))}, s.stun[i]);
    Writer entries{out, "bootstrap_registry_entries", "Peers registered here now.", MetricType::Gauge};
    entries.add({}, static_cast<double>(s.entries));
  }
  Writer served{out, "bootstrap_served_requests_total", "Requests of clients.", MetricType::Counter};
  for (std::size_t i = 0; i < s.requests.size(); ++i) {
    const ClientMetric::Label request = label("request", name(static_cast<ServiceRequest>(i)));
    served.add({request, label("result", "success")}, s.requests[i].success);
    served.add({request, label("result", "refused")}, s.requests[i].refused);
  }
  Writer bytes{out, "p2p_relay_forwarded_bytes_total", "Bytes carried between clients.", MetricType::Counter};
  bytes.add({}, s.forwarded_bytes);
  Writer packets{out, "p2p_relay_forwarded_packets_total", "Packets carried between clients.", MetricType::Counter};
  packets.add({}, s.forwarded_packets);
  Writer dropped{out, "p2p_relay_dropped_packets_total", "Packets of clients that were not carried.",
                 MetricType::Counter};
  for (std::size_t i = 0; i < s.dropped.size(); ++i)
    dropped.add({label("reason", name(static_cast<event::RelayDrop>(i)))}, s.dropped[i]);
  Writer clients{out, "p2p_relay_clients", "Clients connected and admitted now.", MetricType::Gauge};
  for (std::size_t i = 0; i < s.clients.size(); ++i)
    clients.add({label("transport", name(static_cast<Transport>(i)))}, static_cast<double>(s.clients[i]));
}

}  // namespace pw::observe
