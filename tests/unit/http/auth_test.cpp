#include "http/auth.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace pw::http;

namespace {
Request over_tcp(std::string authorization = {}) {
  Request request;
  request.authorization = std::move(authorization);
  return request;
}
unsigned verdict(const Request& request, Method method, const Tokens& tokens) {
  const auto refused = authorize(request, method, tokens);
  return refused ? refused->status : 200;
}
}  // namespace

TEST_CASE("tokens are compared whole") {
  CHECK(equal_in_constant_time("secret", "secret"));
  CHECK_FALSE(equal_in_constant_time("secret", "secreT"));
  CHECK_FALSE(equal_in_constant_time("secret", "secretsecret"));
  CHECK_FALSE(equal_in_constant_time("secretsecret", "secret"));
  CHECK_FALSE(equal_in_constant_time("", "secret"));
  CHECK_FALSE(equal_in_constant_time("secret", ""));
}

TEST_CASE("a token comes as bearer, or as the password of basic") {
  CHECK(token_of("Bearer abc") == "abc");
  CHECK(token_of("bearer   abc ") == "abc");
  CHECK(token_of("Basic dXNlcjphYmM=") == "abc");
  CHECK(token_of("BASIC dXNlcjphOmI=") == "a:b");
  CHECK(token_of("Basic OmFiYw==") == "abc");
  for (const auto* text : {"", "Bearer", "Bearer ", "Digest abc", "Basic ???", "Basic YWJj"})
    CHECK_FALSE(token_of(text));
}

TEST_CASE("reading is open until a metrics token is set") {
  CHECK(verdict(over_tcp(), Method::get, {}) == 200);
  const Tokens tokens{"m", "a"};
  CHECK(verdict(over_tcp(), Method::get, tokens) == 401);
  CHECK(verdict(over_tcp("Bearer x"), Method::get, tokens) == 401);
  CHECK(verdict(over_tcp("Bearer m"), Method::get, tokens) == 200);
  CHECK(verdict(over_tcp("Bearer a"), Method::get, tokens) == 200);
  CHECK(verdict(over_tcp(), Method::get, {"", "a"}) == 200);
}

TEST_CASE("control over TCP needs the admin token, and none at all is off") {
  CHECK(verdict(over_tcp("Bearer "), Method::post, {}) == 403);
  CHECK(verdict(over_tcp("Bearer m"), Method::post, {"m", ""}) == 403);
  const Tokens tokens{"m", "a"};
  CHECK(verdict(over_tcp(), Method::post, tokens) == 401);
  CHECK(verdict(over_tcp("Bearer m"), Method::post, tokens) == 401);
  CHECK(verdict(over_tcp("Bearer a"), Method::post, tokens) == 200);
  const auto refused = authorize(over_tcp(), Method::post, tokens);
  REQUIRE(refused->headers.size() == 1);
  CHECK(refused->headers[0].first == "WWW-Authenticate");
}

TEST_CASE("the control socket needs no token") {
  Request request;
  request.client.control = true;
  CHECK(verdict(request, Method::post, {}) == 200);
  CHECK(verdict(request, Method::get, {"m", "a"}) == 200);
}

TEST_CASE("Host must be an address, localhost or a name of ours") {
  const std::vector<std::string> names = {"node-a", "node-a.example"};
  for (const auto* host : {"127.0.0.1", "127.0.0.1:9470", "[::1]", "[::1]:9470", "localhost", "LocalHost:1",
                           "node-a:9470", "Node-A.Example", "node-a.example.:80", "192.0.2.7:80"})
    CHECK(host_allowed(host, names));
  for (const auto* host : {"", ":80", "evil.example", "node-a.evil.example", "localhost.evil.example", "[::1", "[evil]",
                           "[::1]evil", "127.0.0.1.evil.example", "127.1"})
    CHECK_FALSE(host_allowed(host, names));
}

TEST_CASE("a page of another origin is refused") {
  CHECK(same_origin("", "", "localhost:9470"));
  CHECK(same_origin("http://localhost:9470", "same-origin", "localhost:9470"));
  CHECK(same_origin("", "none", "localhost:9470"));
  CHECK_FALSE(same_origin("null", "", "localhost:9470"));
  CHECK_FALSE(same_origin("http://localhost:9471", "", "localhost:9470"));
  CHECK_FALSE(same_origin("http://evil.example", "", "localhost:9470"));
  CHECK_FALSE(same_origin("", "cross-site", "localhost:9470"));
  CHECK_FALSE(same_origin("", "same-site", "localhost:9470"));
}
