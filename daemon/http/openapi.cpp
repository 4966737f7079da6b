#include <nlohmann/json.hpp>

#include "http/application.hpp"
#include "http/openapi_schemas.hpp"

namespace pw::http {
namespace {

using Json = nlohmann::ordered_json;

/// What a route's bodies are called in openapi_schemas(); empty if it has none.
struct Bodies {
  std::string_view request;
  std::string_view response;
};

Bodies bodies_of(Route route) {
  switch (route) {
    case Route::index:
    case Route::metrics:
    case Route::event_stream:
      return {"", ""};
    case Route::healthy:
      return {"", "Health"};
    case Route::ready:
      return {"", "Ready"};
    case Route::reload:
      return {"Nothing", "Reloaded"};
    case Route::status:
      return {"", "Status"};
    case Route::peers:
      return {"", "Peers"};
    case Route::peer:
      return {"", "Peer"};
    case Route::ping:
      return {"PingRequest", "Ping"};
    case Route::bandwidth:
      return {"BandwidthRequest", "Bandwidth"};
    case Route::connect:
      return {"ConnectRequest", "Accepted"};
    case Route::disconnect:
      return {"Nothing", "Accepted"};
    case Route::bootstraps:
      return {"", "Bootstraps"};
    case Route::relays:
      return {"", "Relays"};
    case Route::nat:
      return {"", "Nat"};
    case Route::events:
      return {"", "Events"};
    case Route::config:
      return {"", "Config"};
    case Route::openapi:
      return {"", ""};
  }
  return {"", ""};
}

Json reference(std::string_view schema) { return {{"$ref", "#/components/schemas/" + std::string{schema}}}; }

Json parameter(std::string_view name, std::string_view in, std::string_view description, bool required) {
  return {{"name", name},
          {"in", in},
          {"description", description},
          {"required", required},
          {"schema", {{"type", "string"}}}};
}

Json parameters_of(Route route, std::string_view path) {
  Json list = Json::array();
  if (path.find("{id}") != std::string_view::npos)
    list.push_back(parameter("id", "path", "an id, a configured name, or a unique beginning of an id", true));
  if (route == Route::events || route == Route::event_stream) {
    list.push_back(parameter("since", "query", "a sequence number (what follows it), or an age such as 5m", false));
    list.push_back(parameter("peer", "query", "events about this peer only", false));
    list.push_back(parameter("type", "query", "events of this type only", false));
    list.push_back(
        parameter("limit", "query", "at most so many: 100 unless told, at most 4096; no effect on the stream", false));
  }
  if (route == Route::event_stream)
    list.push_back(parameter("Last-Event-ID", "header", "resume after this sequence number", false));
  return list;
}

Json content_of(Route route) {
  const Json text{{"schema", {{"type", "string"}}}};
  if (route == Route::index) return {{"text/html", text}};
  if (route == Route::metrics) return {{"text/plain", text}, {"application/openmetrics-text", text}};
  if (route == Route::event_stream) return {{"text/event-stream", text}};
  const auto schema = bodies_of(route).response;
  if (schema.empty()) return {{"application/json", {{"schema", {{"type", "object"}}}}}};
  return {{"application/json", {{"schema", reference(schema)}}}};
}

Json operation_of(const RouteInfo& info) {
  Json operation{{"operationId", info.name}, {"summary", info.summary}};
  if (Json list = parameters_of(info.route, info.path); !list.empty()) operation["parameters"] = std::move(list);
  if (const auto request = bodies_of(info.route).request; !request.empty())
    operation["requestBody"] = {{"required", false},
                                {"content", {{"application/json", {{"schema", reference(request)}}}}}};
  operation["responses"] = {
      {"200", {{"description", "done"}, {"content", content_of(info.route)}}},
      {"default",
       {{"description", "an error"}, {"content", {{"application/problem+json", {{"schema", reference("Problem")}}}}}}}};
  operation["security"] = Json::array({Json{{"bearer", Json::array()}}, Json{{"basic", Json::array()}}});
  if (info.method == Method::get) operation["security"].push_back(Json::object());
  return operation;
}

std::string build() {
  Json document{{"openapi", "3.1.0"}, {"info", {{"title", "peerwatch"}, {"version", "1"}}}};
  Json& paths = document["paths"] = Json::object();
  for (const RouteInfo& info : all_routes())
    paths[std::string{info.path}][info.method == Method::get ? "get" : "post"] = operation_of(info);
  document["components"] = {
      {"schemas", Json::parse(openapi_schemas())},
      {"securitySchemes",
       {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}, {"basic", {{"type", "http"}, {"scheme", "basic"}}}}}};
  return document.dump(2) + "\n";
}

}  // namespace

const std::string& openapi_document() {
  static const std::string document = build();
  return document;
}

}  // namespace pw::http
