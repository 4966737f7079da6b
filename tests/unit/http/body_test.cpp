#include "http/body.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw::http;

TEST_CASE("an empty body means the defaults") {
  CHECK(parse_ping("")->size == 0);
  CHECK(parse_bandwidth("{}")->bytes == 16 << 20);  // modest: a day's quota is 1 GiB for both ways
  CHECK(parse_bandwidth("")->duration == std::chrono::seconds{2});
  CHECK(parse_connect("")->addresses.empty());
  CHECK(parse_nothing(""));
  CHECK(parse_nothing(" {} "));
}

TEST_CASE("members are read") {
  CHECK(parse_ping(R"({"size": 1000})")->size == 1000);
  const auto bandwidth = parse_bandwidth(R"({"bytes": 5, "duration_ms": 250})");
  CHECK(bandwidth->bytes == 5);
  CHECK(bandwidth->duration == std::chrono::milliseconds{250});
  const auto connect = parse_connect(R"({"addresses": ["192.0.2.7:9470", "node-b.example:1"]})");
  REQUIRE(connect->addresses.size() == 2);
  CHECK(connect->addresses[1].host == "node-b.example");
}

TEST_CASE("bodies that are no such object are refused") {
  for (const auto* body : {"x", "[]", "null", "1", "\"x\"", "{", "{}{}", "{\"size\":}", "{\"size\":-1}",
                           "{\"size\":1.5}", "{\"size\":\"1\"}", "{\"size\":65537}", "{\"size\":1e3}",
                           "{\"size\":null}", "{\"other\":1}", "\xff", "{\"size\":18446744073709551616}"})
    CHECK_FALSE(parse_ping(body));
  for (const auto* body :
       {"{\"bytes\":0}", "{\"bytes\":1073741825}", "{\"duration_ms\":99}", "{\"duration_ms\":30001}"})
    CHECK_FALSE(parse_bandwidth(body));
  for (const auto* body : {"{\"addresses\":\"x:1\"}", "{\"addresses\":[1]}", "{\"addresses\":[\"x\"]}",
                           "{\"addresses\":[\"x:0x1\"]}", "{\"addresses\":{}}"})
    CHECK_FALSE(parse_connect(body));
  CHECK_FALSE(parse_nothing("{\"a\":1}"));
}

TEST_CASE("an unknown member is named by the one it was meant to be") {
  CHECK(parse_bandwidth("{\"duration\":1}").error().detail.find("duration_ms") != std::string::npos);
  CHECK(parse_connect("{\"adresses\":[]}").error().detail.find("\"addresses\"") != std::string::npos);
}

TEST_CASE("depth is counted outside strings, before anything recurses") {
  CHECK(nesting_within("[[]]", 2));
  CHECK_FALSE(nesting_within("[[[", 2));
  CHECK(nesting_within("\"[[[[\\\"[[[\"", 1));
  CHECK(nesting_within("[][][][]", 1));
  CHECK(nesting_within("]]]][", 1));
  CHECK_FALSE(parse_ping(std::string(kMaxBody, '[')));
  CHECK(parse_ping(std::string(kMaxBody, '[')).error().detail.find("deeper") != std::string::npos);
}

TEST_CASE("too many addresses are refused") {
  std::string body = "{\"addresses\":[\"h:1\"";
  for (std::size_t i = 1; i < kMaxConnectAddresses; ++i) body += ",\"h:1\"";
  CHECK(parse_connect(body + "]}"));
  CHECK_FALSE(parse_connect(body + ",\"h:1\"]}"));
}
