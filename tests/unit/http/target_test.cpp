#include "http/target.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw::http;

TEST_CASE("a target is split at slashes and its segments are decoded afterwards") {
  const auto target = parse_target("/api/v1/peers/node%2Fa/ping?x=1&y=a%20b+c&x=2&empty=&bare");
  REQUIRE(target);
  CHECK(target->segments == std::vector<std::string>{"api", "v1", "peers", "node/a", "ping"});
  CHECK(target->parameter("x") == "1");
  CHECK(target->parameter("y") == "a b c");
  CHECK(target->parameter("empty") == "");
  CHECK(target->parameter("bare") == "");
  CHECK_FALSE(target->parameter("z"));
  CHECK(target->parameters.size() == 5);
}

TEST_CASE("a plus sign is a space in a query only") {
  CHECK(parse_target("/a+b")->segments.at(0) == "a+b");
  CHECK(parse_target("/?a+b=c")->parameter("a b") == "c");
}

TEST_CASE("an absolute-form target brings its own authority") {
  const auto target = parse_target("http://127.0.0.1:9470/metrics?x=1");
  REQUIRE(target);
  CHECK(target->authority == "127.0.0.1:9470");
  CHECK(target->segments == std::vector<std::string>{"metrics"});
  CHECK(parse_target("http://host")->segments.empty());
  CHECK(parse_target("http://host?x=1")->parameter("x") == "1");
  CHECK_FALSE(parse_target("http:///metrics"));
}

TEST_CASE("broken targets are refused") {
  for (const std::string text :
       {"",        "*",     "metrics",           "host:80",    "ftp://x/",      "/%", "/%4",   "/%zz",  "/%00", "/%0a",
        "/a%7f",   "/%ff",  "/%c0%af",           "/%ed%a0%80", "/%f4%90%80%80", "//", "/a//b", "/#top", "/a#b", "/?x=%",
        "/?%ff=1", "/\x01", "/1/2/3/4/5/6/7/8/9"})
    CHECK_FALSE(parse_target(text));
  CHECK_FALSE(parse_target("/" + std::string(kMaxTarget, 'a')));
  CHECK(parse_target("/" + std::string(kMaxTarget - 1, 'a')));
  std::string many = "/?";
  for (std::size_t i = 0; i < kMaxParameters; ++i) many += "a=1&";
  CHECK(parse_target(many));
  CHECK_FALSE(parse_target(many + "a=1"));
}

TEST_CASE("UTF-8 is taken whole or not at all") {
  CHECK(parse_target("/n%C3%B6de")->segments.at(0) ==
        "n\xc3\xb6"
        "de");
  CHECK(valid_utf8("\xf0\x9f\x98\x80"));
  CHECK(valid_utf8(""));
  for (const std::string_view text :
       {"\x80", "\xc3", "\xe2\x82", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x88\x80\x80\x80", "a\xc3"})
    CHECK_FALSE(valid_utf8(text));
}
