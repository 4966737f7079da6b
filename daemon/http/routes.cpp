#include "http/routes.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace pw::http {
namespace {

constexpr std::array kRoutes = {
    RouteInfo{Route::index, Method::get, "/", "index", "The routes of this server"},
    RouteInfo{Route::metrics, Method::get, "/metrics", "metrics",
              "Metrics as Prometheus text, or OpenMetrics when asked for"},
    RouteInfo{Route::healthy, Method::get, "/-/healthy", "healthy", "200 while the network thread makes progress"},
    RouteInfo{Route::ready, Method::get, "/-/ready", "ready",
              "200 once this node does its work; else 503 with the reasons"},
    RouteInfo{Route::reload, Method::post, "/-/reload", "reload", "Read the configuration again: all or nothing"},
    RouteInfo{Route::status, Method::get, "/api/v1/status", "status", "This node: identity, uptime, readiness, counts"},
    RouteInfo{Route::peers, Method::get, "/api/v1/peers", "peers",
              "Every peer: state, paths, measurements, last error"},
    RouteInfo{Route::peer, Method::get, "/api/v1/peers/{id}", "peer",
              "One peer, by id, by name or by a unique beginning of its id"},
    RouteInfo{Route::ping, Method::post, "/api/v1/peers/{id}/ping", "ping", "One echo to a connected peer"},
    RouteInfo{Route::bandwidth, Method::post, "/api/v1/peers/{id}/bandwidth", "bandwidth",
              "Measure the bandwidth to and from a connected peer"},
    RouteInfo{Route::connect, Method::post, "/api/v1/peers/{id}/connect", "connect",
              "Dial a peer now; with addresses, also one that is not known yet"},
    RouteInfo{Route::disconnect, Method::post, "/api/v1/peers/{id}/disconnect", "disconnect",
              "End the session and stay away until connect"},
    RouteInfo{Route::bootstraps, Method::get, "/api/v1/bootstraps", "bootstraps",
              "The bootstraps of this node, and what it does as one"},
    RouteInfo{Route::relays, Method::get, "/api/v1/relays", "relays",
              "The relays of this node, and what it does as one"},
    RouteInfo{Route::nat, Method::get, "/api/v1/nat", "nat",
              "What the NATs in front of this node do, as measured, by address family"},
    RouteInfo{Route::events, Method::get, "/api/v1/events", "events", "Recent events, oldest first"},
    RouteInfo{Route::event_stream, Method::get, "/api/v1/events/stream", "event_stream",
              "Events as they happen: server-sent events, resumable by Last-Event-ID"},
    RouteInfo{Route::config, Method::get, "/api/v1/config", "config", "The effective configuration, secrets redacted"},
    RouteInfo{Route::openapi, Method::get, "/api/v1/openapi.json", "openapi", "This interface as an OpenAPI document"},
};

/// Whether the segments fit the template; `peer` gets what stood in for {id}.
bool fits(std::string_view path, const Target& target, std::string& peer) {
  path.remove_prefix(1);
  std::size_t i = 0;
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    const auto wanted = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (i == target.segments.size()) return false;
    if (wanted == "{id}")
      peer = target.segments[i];
    else if (wanted != target.segments[i])
      return false;
    ++i;
  }
  return i == target.segments.size();
}

}  // namespace

std::span<const RouteInfo> all_routes() { return kRoutes; }

const RouteInfo& info_of(Route route) {
  const auto index = static_cast<std::size_t>(route);
  PW_CHECK(index < kRoutes.size() && kRoutes[index].route == route);
  return kRoutes[index];
}

std::string_view allow_of(Method method) { return method == Method::get ? "GET, HEAD" : "POST"; }

std::optional<Match> match(const Target& target) {
  if (target.trailing_slash) return std::nullopt;
  for (const RouteInfo& info : kRoutes) {
    std::string peer;
    if (fits(info.path, target, peer)) return Match{&info, std::move(peer)};
  }
  return std::nullopt;
}

}  // namespace pw::http
