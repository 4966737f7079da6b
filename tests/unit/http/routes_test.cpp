#include "http/routes.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

using namespace pw::http;

namespace {
std::optional<Match> at(std::string_view text) { return match(parse_target(text).value()); }
}  // namespace

TEST_CASE("the table is in the order of the enumeration, each route with its own name and label") {
  std::set<std::string_view> names, paths;
  for (const RouteInfo& info : all_routes()) {
    CHECK(&info_of(info.route) == &info);
    CHECK(names.insert(info.name).second);
    CHECK(paths.insert(info.path).second);
    CHECK_FALSE(info.summary.empty());
  }
  CHECK(names.size() == static_cast<std::size_t>(Route::openapi) + 1);
}

TEST_CASE("paths find their routes, and what stands for {id}") {
  CHECK(at("/")->info->route == Route::index);
  CHECK(at("/metrics")->info->route == Route::metrics);
  CHECK(at("/-/ready?x=1")->info->route == Route::ready);
  CHECK(at("/api/v1/peers")->info->route == Route::peers);
  CHECK(at("/api/v1/peers/node%20b")->peer == "node b");
  CHECK(at("/api/v1/peers/x/ping")->info->route == Route::ping);
  CHECK(at("/api/v1/events/stream")->info->route == Route::event_stream);
}

TEST_CASE("what is nearly a route is none") {
  for (const auto* text : {"/metrics/", "/Metrics", "/metric", "/api", "/api/v1", "/api/v1/peers/",
                           "/api/v1/peers/x/ping/y", "/..", "/api/v1/../v1/status", "/-/", "/api/v1/peers/x/why"})
    CHECK_FALSE(at(text));
}
