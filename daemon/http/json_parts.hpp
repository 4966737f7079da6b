// What several documents are made of.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "http/backend.hpp"
#include "observe/time_text.hpp"

namespace pw::http {

using Json = nlohmann::ordered_json;

inline std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

/// Converts the snapshot's instants to what people read.
struct Clock {
  const View& view;
  Json time(Instant at) const { return observe::rfc3339(view.wall + (at - view.node->at)); }
  Json time(const std::optional<Instant>& at) const { return at ? time(*at) : Json{}; }
  Json age(Instant at) const { return to_seconds(std::max(Duration{0}, view.node->at - at)); }
  Json age(const std::optional<Instant>& at) const { return at ? age(*at) : Json{}; }
  Json until(const std::optional<Instant>& at) const {
    return at ? Json(to_seconds(std::max(Duration{0}, *at - view.node->at))) : Json{};
  }
};

inline Json milliseconds(const std::optional<Duration>& d) { return d ? Json(to_milliseconds(*d)) : Json{}; }

/// Of a peer or of a server.
template <class Error>
Json last_error_of(const Clock& clock, const std::optional<Error>& error) {
  if (!error) return {};
  return {{"at", clock.time(error->at)},
          {"age_seconds", clock.age(error->at)},
          {"type", name(error->type)},
          {"detail", error->detail}};
}

/// HostPort or SocketAddress.
template <class Address>
Json addresses_of(const std::vector<Address>& addresses) {
  Json json = Json::array();
  for (const Address& address : addresses) json.push_back(address.to_string());
  return json;
}

}  // namespace pw::http
