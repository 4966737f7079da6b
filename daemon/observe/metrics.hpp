// Metrics: counters, histograms and gauges folded from events, and the immutable picture of them that a scrape is
// answered from. docs/metrics.md describes every family.
//
// Counters and histograms are exact and never sampled. Everything about a peer is bounded: at most
// `max_labelled_peers` (fewer if `max_series` would be passed) carry a label of their own; the increments of the others
// go to peer_id="other", each increment to exactly one series.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/names.hpp"
#include "base/peer_id.hpp"
#include "base/time.hpp"
#include "event/event.hpp"
#include "event/snapshot.hpp"
#include "observe/monitor.hpp"

namespace pw::observe {

/// privacy.peer_id: what the label peer_id shows. `none` leaves out every family that has it.
enum class PeerLabel : std::uint8_t { full, short_, hashed, none };

struct MetricsOptions {
  std::string version;
  PeerId self;
  std::string node_name;
  std::string mesh;
  PeerLabel peer_label = PeerLabel::short_;
  Buffer label_key;  // for hashed: the same on all nodes of the mesh, so that their labels agree
  std::uint32_t max_labelled_peers = 100;
  std::uint32_t max_series = 50000;
  Duration retention = 10min;  // of the series of a peer that is gone
  std::optional<WallTime> tls_certificate_expiry{};  // of the WebSocket that it serves
};

enum class Exposition : std::uint8_t {
  text,        // Content-Type: text/plain; version=0.0.4; charset=utf-8
  openmetrics  // Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8
};

/// Immutable; crosses threads.
struct MetricsSnapshot;

/// Any thread. Linear in what it writes. process_* are read at this moment, not on the network thread.
std::string render(const MetricsSnapshot& snapshot, Exposition format);

/// Why the HTTP server turned a request or a connection away: peerwatch_http_rejected_total{reason}.
enum class HttpReject : std::uint8_t {
  too_large,
  malformed,
  timeout,
  too_many_connections,
  rate_limited,
  unauthorized,
  forbidden_host,
  forbidden_origin,
  unsupported_media_type,
  too_many_streams
};
constexpr auto names(HttpReject) {
  using namespace std::string_view_literals;
  return std::array{
      "too_large"sv,    "malformed"sv,      "timeout"sv,          "too_many_connections"sv,   "rate_limited"sv,
      "unauthorized"sv, "forbidden_host"sv, "forbidden_origin"sv, "unsupported_media_type"sv, "too_many_streams"sv};
}

/// Fed on the HTTP thread only.
class HttpMetrics {
 public:
  /// `route` is the route's pattern ("/api/v1/peers/{id}"), never the path that was asked for; "none" where no route
  /// matched. Beyond a bounded number of routes it counts as "other".
  void request(std::string_view route, unsigned code, Duration took);
  void rejected(HttpReject reason);

  struct Impl;
  explicit HttpMetrics(std::unique_ptr<Impl> impl);
  ~HttpMetrics();

 private:
  std::unique_ptr<Impl> impl_;
};

/// Network thread, except http().
class Metrics : public Monitor {
 public:
  explicit Metrics(MetricsOptions options);
  ~Metrics() override;

  void handle(const event::Record& record) override;

  /// How long the loop was busy before it came to look at its sockets again.
  void loop_lag(Duration lag);
  /// How much later than asked a timer fired.
  void timer_error(Duration late);
  /// Datagrams that the kernel dropped for lack of room in the socket's buffer, in all since the socket was opened.
  void socket_drops(std::uint64_t total);

  /// Takes a reload: everything but `version` and `self`.
  void configure(const MetricsOptions& options);

  /// `wall` is the wall-clock time of `node.at`. Evicts what is past its retention. ≤ 1 µs a peer.
  std::shared_ptr<const MetricsSnapshot> snapshot(const event::NodeSnapshot& node, WallTime wall);

  /// HTTP thread. Lives as long as this.
  HttpMetrics& http();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pw::observe
