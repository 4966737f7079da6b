#include "http/negotiate.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw::http;

TEST_CASE("OpenMetrics is served to who prefers it") {
  CHECK(wants_openmetrics("application/openmetrics-text"));
  CHECK(
      wants_openmetrics("application/openmetrics-text;version=1.0.0;q=0.5,application/"
                        "openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"));
  CHECK(wants_openmetrics("text/plain;q=0.5, Application/OpenMetrics-Text; Version=1.0.0 ;charset=utf-8"));
}

TEST_CASE("everybody else gets plain text") {
  for (const auto* accept :
       {"", "*/*", "text/plain", "text/html,*/*;q=0.1", "application/openmetrics-text;q=0",
        "application/openmetrics-text;version=2.0.0", "application/openmetrics-text;q=0.3,text/plain;q=0.5",
        "application/openmetrics-text,text/plain", "application/openmetrics-text;q=x", ";;;,,,=,",
        "application/openmetrics-text;q=2"})
    CHECK_FALSE(wants_openmetrics(accept));
}

TEST_CASE("gzip is accepted by name or by star, unless its quality is 0") {
  for (const auto* accept : {"gzip", "deflate, gzip;q=0.5", "GZip", "*", "br, *;q=0.1", "x-gzip"})
    CHECK(accepts_gzip(accept));
  for (const auto* accept : {"", "identity", "gzip;q=0", "gzip;q=0, *", "*;q=0", "gzipped"})
    CHECK_FALSE(accepts_gzip(accept));
}

TEST_CASE("JSON is application/json with whatever parameters") {
  CHECK(is_json("application/json"));
  CHECK(is_json("Application/JSON ; charset=utf-8"));
  for (const auto* type : {"", "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "text/json"})
    CHECK_FALSE(is_json(type));
}
