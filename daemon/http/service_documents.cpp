#include "http/service_documents.hpp"

#include "http/json_parts.hpp"

namespace pw::http {
namespace {

using event::RequestResult;
using event::ServerSnapshot;
using event::ServiceRequest;

template <class E, std::size_t N>
Json by_name(const std::array<std::uint64_t, N>& counts) {
  Json json = Json::object();
  for (std::size_t i = 0; i < N; ++i) json[std::string{name(static_cast<E>(i))}] = counts[i];
  return json;
}

Json requests_of(const ServerSnapshot& s) {
  Json json = Json::object();
  for (std::size_t r = 0; r < s.requests.size(); ++r) {
    const auto& counts = s.requests[r];
    std::uint64_t all = 0;
    for (const std::uint64_t n : counts) all += n;
    Json one = by_name<RequestResult>(counts);
    const auto good = static_cast<double>(counts[static_cast<std::size_t>(RequestResult::success)]);
    one["success_ratio"] = all == 0 ? Json{} : Json(good / static_cast<double>(all));
    one["last_response_ms"] = milliseconds(s.response[r]);
    json[std::string{name(static_cast<ServiceRequest>(r))}] = std::move(one);
  }
  return json;
}

/// `granted`: as what it was asked for here.
Json server_json(const Clock& clock, const ServerSnapshot& s, bool granted) {
  Json json{{"id", s.spec.id.to_string()}, {"short_id", s.spec.id.to_short()}, {"name", s.spec.name}};
  json["addresses"] = addresses_of(s.spec.addresses);
  json["up"] = s.state == event::ServerState::ready && granted;
  json["state"] = name(s.state);
  json["up_since"] = clock.time(s.up_since);
  json["up_seconds"] = clock.age(s.up_since);
  json["rtt_ms"] = milliseconds(s.rtt);
  json["observed"] = s.observed ? Json(s.observed->to_string()) : Json{};
  json["channels"] = s.channels;
  json["failures"] = s.failures;
  json["last_error"] = last_error_of(clock, s.last_error);
  json["requests"] = requests_of(s);
  return json;
}

Json served_of(const event::ServingStats& stats) {
  Json json = Json::object();
  for (std::size_t i = 0; i < stats.requests.size(); ++i)
    json[std::string{name(static_cast<ServiceRequest>(i))}] = {{"success", stats.requests[i].success},
                                                               {"refused", stats.requests[i].refused}};
  return json;
}

Json serving_json(const event::ServingStats& stats) {
  return {{"clients", stats.all_clients()}, {"clients_refused", stats.clients_refused}, {"channels", stats.channels}};
}

}  // namespace

std::string bootstraps_document(const View& view) {
  const Clock clock{view};
  Json list = Json::array();
  for (const ServerSnapshot& s : view.node->servers) {
    if (!s.spec.bootstrap) continue;
    list.push_back(server_json(clock, s, s.grants_bootstrap));
    list.back()["carries"] = s.grants_carriage;
  }
  Json serving;
  if (const auto& here = view.node->serving; here && here->bootstrap) {
    serving = serving_json(here->stats);
    serving["entries"] = here->stats.entries;
    serving["requests"] = served_of(here->stats);
    serving["stun"] = by_name<event::StunResult>(here->stats.stun);
  }
  return dump({{"at", clock.time(view.node->at)}, {"bootstraps", std::move(list)}, {"serving", std::move(serving)}});
}

std::string relays_document(const View& view) {
  const Clock clock{view};
  Json list = Json::array();
  for (const ServerSnapshot& s : view.node->servers) {
    if (!s.spec.relay) continue;
    list.push_back(server_json(clock, s, s.grants_relay));
    list.back()["transport"] = name(s.transport);
    list.back()["home"] = s.home;
  }
  Json serving;
  if (const auto& here = view.node->serving; here && here->relay) {
    serving = serving_json(here->stats);
    serving["forwarded_packets"] = here->stats.forwarded_packets;
    serving["forwarded_bytes"] = here->stats.forwarded_bytes;
    serving["dropped"] = by_name<event::RelayDrop>(here->stats.dropped);
  }
  return dump({{"at", clock.time(view.node->at)}, {"relays", std::move(list)}, {"serving", std::move(serving)}});
}

}  // namespace pw::http
