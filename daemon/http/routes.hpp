// The route table: the one list that dispatch, 405, the labels of metrics, GET / and openapi.json are made from.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/target.hpp"

namespace pw::http {

enum class Route : std::uint8_t {
  index,
  metrics,
  healthy,
  ready,
  reload,
  status,
  peers,
  peer,
  ping,
  bandwidth,
  connect,
  disconnect,
  bootstraps,
  relays,
  nat,
  events,
  event_stream,
  config,
  openapi
};

enum class Method : std::uint8_t { get, post };

struct RouteInfo {
  Route route;
  Method method;
  std::string_view path;  // a template: "{id}" stands for one segment. Also the label of metrics.
  std::string_view name;  // operationId
  std::string_view summary;
};

std::span<const RouteInfo> all_routes();
const RouteInfo& info_of(Route route);
/// GET routes answer HEAD too.
std::string_view allow_of(Method method);

struct Match {
  const RouteInfo* info;
  std::string peer;  // what stood in the place of {id}
};
std::optional<Match> match(const Target& target);

/// The label for requests that match no route.
inline constexpr std::string_view kNoRoute = "none";

}  // namespace pw::http
