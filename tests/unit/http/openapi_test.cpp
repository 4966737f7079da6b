// The document describes the table, and live answers are what it says.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "fake_backend.hpp"
#include "http/application.hpp"
#include "http/body.hpp"

using namespace pw;
using namespace pw::http;
using namespace pw::http::test;
using nlohmann::json;

namespace {

/// As much of JSON Schema as the document uses; an unknown keyword is an error, so that none goes unchecked.
class Schemas {
 public:
  explicit Schemas(json document) : document_(std::move(document)) {}

  std::vector<std::string> problems(const json& schema, const json& value) {
    found_.clear();
    check(schema, value, "$");
    return found_;
  }

 private:
  static bool is(const json& value, const std::string& type) {
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "array") return value.is_array();
    if (type == "object") return value.is_object();
    return type == "null" && value.is_null();
  }
  void check(const json& schema, const json& value, const std::string& at) {
    if (schema.contains("$ref"))
      return check(document_.at(json::json_pointer{schema["$ref"].get<std::string>().substr(1)}), value, at);
    for (const auto& [keyword, argument] : schema.items()) check(keyword, argument, schema, value, at);
  }
  void check(const std::string& keyword, const json& argument, const json& schema, const json& value,
             const std::string& at) {
    if (keyword == "description" || keyword == "format" || keyword == "default") return;
    bool good = true;
    if (keyword == "type") {
      good = false;
      for (const auto& type : argument.is_array() ? argument : json::array({argument})) good = good || is(value, type);
    } else if (value.is_null()) {
      return;
    } else if (keyword == "enum") {
      good = std::find(argument.begin(), argument.end(), value) != argument.end();
    } else if (keyword == "minimum") {
      good = value >= argument;
    } else if (keyword == "maximum") {
      good = value <= argument;
    } else if (keyword == "required") {
      for (const auto& key : argument) good = good && value.contains(key.get<std::string>());
    } else if (keyword == "additionalProperties") {
      for (const auto& [key, ignored] : value.items())
        good = good && (argument == true || schema["properties"].contains(key));
    } else if (keyword == "properties") {
      for (const auto& [key, inner] : argument.items())
        if (value.contains(key)) check(inner, value[key], at + "." + key);
    } else if (keyword == "items") {
      for (const auto& item : value) check(argument, item, at + "[]");
    } else {
      good = false;
    }
    if (!good) found_.push_back(at + ": " + keyword + " " + argument.dump() + " against " + value.dump());
  }

  json document_;
  std::vector<std::string> found_;
};

}  // namespace

TEST_CASE("openapi.json describes exactly the routes that exist") {
  const json document = json::parse(openapi_document());
  std::size_t operations = 0;
  for (const auto& [path, methods] : document["paths"].items()) operations += methods.size();
  CHECK(operations == all_routes().size());
  for (const RouteInfo& info : all_routes()) {
    const json& operation =
        document["paths"].at(std::string{info.path}).at(info.method == Method::get ? "get" : "post");
    CHECK(operation["operationId"] == info.name);
  }
}

TEST_CASE("limits and defaults in the document are those in force") {
  const json schemas = json::parse(openapi_document())["components"]["schemas"];
  const json& bandwidth = schemas["BandwidthRequest"]["properties"];
  const auto ms = [](Duration d) { return d / 1ms; };
  CHECK(bandwidth["bytes"]["default"] == kDefaultBandwidthBytes);
  CHECK(bandwidth["bytes"]["maximum"] == kMaxBandwidthBytes);
  CHECK(bandwidth["duration_ms"]["default"] == ms(kDefaultBandwidthDuration));
  CHECK(bandwidth["duration_ms"]["minimum"] == ms(kMinBandwidthDuration));
  CHECK(bandwidth["duration_ms"]["maximum"] == ms(kMaxBandwidthDuration));
  CHECK(schemas["PingRequest"]["properties"]["size"]["maximum"] == kMaxPingSize);
  CHECK(schemas["ConnectRequest"]["properties"]["addresses"]["maxItems"] == kMaxConnectAddresses);
}

TEST_CASE("every schema is used, and every reference leads somewhere") {
  const std::string text = openapi_document();
  const json document = json::parse(text);
  for (const auto& [name, schema] : document["components"]["schemas"].items())
    CHECK(text.find("\"#/components/schemas/" + name + "\"") != std::string::npos);
  for (auto at = text.find("\"$ref\": \"#"); at != std::string::npos; at = text.find("\"$ref\": \"#", at + 1)) {
    const auto begin = at + 10;
    CHECK(document.contains(json::json_pointer{text.substr(begin, text.find('"', begin) - begin)}));
  }
}

TEST_CASE("live answers, good and bad, are what the document says") {
  FakeBackend backend;
  observe::RecentEvents recent;
  add_events(recent, 1, 3);
  Application application{Policy{}, backend, recent, backend.metrics->http()};
  const json document = json::parse(openapi_document());
  Schemas schemas(document);
  const auto check = [&](const RouteInfo& info, const std::string& id, unsigned expected) {
    Request request;
    request.client.control = true;
    request.has_host = true;
    request.method = info.method == Method::get ? "GET" : "POST";
    request.target = std::string{info.path};
    if (const auto at = request.target.find("{id}"); at != std::string::npos) request.target.replace(at, 4, id);
    const Admission admission = application.admit(request, kNow);
    REQUIRE_FALSE(admission.refusal);
    if (info.route == Route::ping) backend.answer = event::PingAnswer{1ms, event::PathKind::direct_v4, false};
    if (info.route == Route::bandwidth) backend.answer = event::BandwidthAnswer{1, 2, 3, 4};
    if (info.route == Route::connect || info.route == Route::disconnect) backend.answer = event::Done{};
    application.answer(admission, request, kWall, [&](const Reply& reply) {
      INFO(request.method << ' ' << request.target);
      CHECK(reply.status == expected);
      const json& operation = document["paths"][std::string{info.path}][info.method == Method::get ? "get" : "post"];
      const json& content = operation["responses"][reply.status == 200 ? "200" : "default"]["content"];
      const std::string type = reply.content_type.substr(0, reply.content_type.find(';'));
      REQUIRE(content.contains(type));
      if (!type.ends_with("json")) return;
      CHECK(schemas.problems(content[type]["schema"], json::parse(reply.body)) == std::vector<std::string>{});
    });
  };
  for (const RouteInfo& info : all_routes()) {
    for (const auto* peer : {"node-b", "node-c"}) check(info, peer, 200);
    if (info.path.find("{id}") != std::string_view::npos) check(info, "nobody", 404);
  }
  backend.ready.reasons = {"x"};
  backend.outcome = {false, {"x"}, {}};
  backend.healthy_now = false;
  check(info_of(Route::ready), "", 503);
  check(info_of(Route::healthy), "", 503);
  check(info_of(Route::reload), "", 422);
}

TEST_CASE("the index links to every route") {
  const std::string page = index_page();
  for (const RouteInfo& info : all_routes()) CHECK(page.find(std::string{info.path}) != std::string::npos);
}
