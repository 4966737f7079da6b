// A hundred kinds of bad requests as raw bytes, while good ones go on being served.
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <thread>
#include <vector>

#include "base/rng.hpp"
#include "http/body.hpp"
#include "http/hall.hpp"
#include "raw_client.hpp"
#include "test_server.hpp"

using namespace pw;
using namespace pw::http;
using namespace pw::http::test;
using namespace std::string_literals;  // they may hold zero bytes

namespace {

struct Bad {
  std::string bytes;
  int code;  // 0: closed without an answer
};

std::string with(std::string_view line, std::string_view fields = "", std::string_view body = "") {
  return std::string{line} + "\r\nHost: localhost\r\n" + std::string{fields} + "\r\n" + std::string{body};
}
std::string length(std::size_t n) {
  return "Content-Type: application/json\r\nContent-Length: " + std::to_string(n) + "\r\n";
}
std::string control_post(std::string_view route, std::string_view body) {
  return with("POST /api/v1/peers/node-b/" + std::string{route} + " HTTP/1.1",
              "Authorization: Bearer admin\r\n" + length(body.size()), body);
}

std::vector<Bad> bad_requests() {
  const std::string ping = "POST /api/v1/peers/node-b/ping HTTP/1.1";
  const std::string admin = "Authorization: Bearer admin\r\n";
  std::vector<Bad> all = {
      // The request line.
      {"\r\n\r\n\r\n\r\n", 400},
      {"GET\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / HTTP\r\n\r\n", 505},
      {"GET / HTTP/1\r\n\r\n", 505},
      {"GET / HTTP/1.\r\n\r\n", 505},
      {"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505},
      {"GET / HTTP/0.9\r\nHost: localhost\r\n\r\n", 505},
      {"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / FTP/1.1\r\nHost: localhost\r\n\r\n", 505},
      {"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n", 505},
      {" GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"G\x01T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET / a HTTP/1.1\r\nHost: localhost\r\n\r\n", 505},
      {"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n"s, 400},
      {"GET / HTTP/1.1\nHost: localhost\n\n", 505},
      {"GET / HTTP/1.1\rHost: localhost\r\r", 505},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client hello\r\n\r\n", 400},
      {"\xff\xfe\xfd\x00\x01\x02\r\n\r\n"s, 400},
      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", 400},
      {"{\"json\":true}\r\n\r\n", 400},
      // Targets.
      {with("GET /% HTTP/1.1"), 400},
      {with("GET /%zz HTTP/1.1"), 400},
      {with("GET /%00 HTTP/1.1"), 400},
      {with("GET /%0d%0aX:y HTTP/1.1"), 400},
      {with("GET /%ff%fe HTTP/1.1"), 400},
      {with("GET /\xff HTTP/1.1"), 400},
      {with("GET //etc/passwd HTTP/1.1"), 400},
      {with("GET metrics HTTP/1.1"), 400},
      {with("GET * HTTP/1.1"), 400},
      {with("OPTIONS * HTTP/1.1"), 400},
      {with("GET https://localhost/ HTTP/1.1"), 400},
      {with("GET http:/// HTTP/1.1"), 400},
      {with("CONNECT localhost:443 HTTP/1.1"), 400},
      {with("GET /../../etc/passwd HTTP/1.1"), 404},
      {with("GET /..%2f..%2fetc%2fpasswd HTTP/1.1"), 404},
      {with("GET /a/b/c/d/e/f/g/h/i/j HTTP/1.1"), 400},
      {with("GET /?" + std::string(50, '&') + "a=b HTTP/1.1"), 200},
      {with("GET /" + std::string(3000, 'a') + " HTTP/1.1"), 414},
      {with("GET /" + std::string(20000, 'a') + " HTTP/1.1"), 431},
      {with("GET /api/v1/events?limit=99999999999999999999 HTTP/1.1"), 400},
      {with("GET /api/v1/events?limit=-1 HTTP/1.1"), 400},
      {with("GET /api/v1/events?since=1e9 HTTP/1.1"), 400},
      {with("GET /api/v1/events?sinc=1 HTTP/1.1"), 400},
      {with("GET /api/v1/events?type=nothing HTTP/1.1"), 400},
      {with("GET /api/v1/peers/%F0%9F%98%80 HTTP/1.1"), 404},
      {with("GET /api/v1/peers/" + std::string(1000, 'a') + " HTTP/1.1"), 404},
      {with("GET /nothing HTTP/1.1"), 404},
      {with("GET /metrics/ HTTP/1.1"), 404},
      // Methods.
      {with("DELETE / HTTP/1.1"), 405},
      {with("PUT /metrics HTTP/1.1"), 405},
      {with("PATCH /api/v1/status HTTP/1.1"), 405},
      {with("TRACE / HTTP/1.1"), 405},
      {with("OPTIONS /metrics HTTP/1.1"), 405},
      {with("BREW / HTTP/1.1"), 405},
      {with("get / HTTP/1.1"), 405},
      {with("GET /-/reload HTTP/1.1"), 405},
      {with("HEAD /-/reload HTTP/1.1"), 405},
      {with("POST /metrics HTTP/1.1", length(0)), 405},
      // Fields.
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 403},
      {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403},
      {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 403},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n: x\r\nHost: localhost\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nno colon\r\nHost: localhost\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x01\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"s, 400},
      {with("GET / HTTP/1.1", "X: " + std::string(20000, 'x') + "\r\n"), 431},
      {with("GET / HTTP/1.1", "Expect: the unexpected\r\n"), 417},
      {with("POST /-/reload HTTP/1.1", admin + admin), 400},
      // Framing.
      {with(ping, admin + "Content-Type: application/json\r\nContent-Length: -1\r\n"), 400},
      {with(ping, admin + "Content-Type: application/json\r\nContent-Length: x\r\n"), 400},
      {with(ping, admin + "Content-Type: application/json\r\nContent-Length: 1\r\nContent-Length: 2\r\n"), 400},
      {with(ping, admin + "Content-Type: application/json\r\nContent-Length: 99999999999999999999999\r\n"), 400},
      {with(ping, admin + length(kMaxBody + 1)), 413},
      {with(ping, admin + length(1UL << 40)), 413},
      {with(ping, admin + length(2) + "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {with(ping, admin + "Content-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
      {with(ping, admin + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", "zz\r\n"), 400},
      {with(ping, admin + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n"),
       400},
      {with(ping, admin + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
            "20000\r\n" + std::string(0x20000, 'x') + "\r\n0\r\n\r\n"),
       413},
      {with(ping, admin + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}xxxx\r\n\r\n"),
       400},
      // Authority.
      {with("POST /-/reload HTTP/1.1", length(0)), 401},
      {with("POST /-/reload HTTP/1.1", "Authorization: Bearer wrong\r\n"), 401},
      {with("POST /-/reload HTTP/1.1", "Authorization: Basic !!!!\r\n"), 401},
      {with("POST /-/reload HTTP/1.1", "Authorization: Negotiate admin\r\n"), 401},
      {with("POST /-/reload HTTP/1.1", "Authorization: Bearer\r\n"), 401},
      {with("POST /-/reload HTTP/1.1", admin + "Origin: http://evil.example\r\n"), 403},
      {with("POST /-/reload HTTP/1.1", admin + "Origin: null\r\n"), 403},
      {with("POST /-/reload HTTP/1.1", admin + "Sec-Fetch-Site: cross-site\r\n"), 403},
      // Bodies.
      {with(ping, admin + "Content-Length: 2\r\n", "{}"), 415},
      {with(ping, admin + "Content-Type: text/plain\r\nContent-Length: 2\r\n", "{}"), 415},
      {with(ping, admin + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n", "size=1"), 415},
      {control_post("ping", "x"), 400},
      {control_post("ping", "[1]"), 400},
      {control_post("ping", "{\"size\":1"), 400},
      {control_post("ping", "{\"size\":-1}"), 400},
      {control_post("ping", "{\"size\":1e99}"), 400},
      {control_post("ping", "{\"siez\":1}"), 400},
      {control_post("ping", std::string(kMaxBody, '[')), 400},
      {control_post("ping", "{\"size\":\"" + "\xff\xfe"s + "\"}"), 400},
      {control_post("bandwidth", "{\"bytes\":0}"), 400},
      {control_post("bandwidth", "{\"duration_ms\":1e6}"), 400},
      {control_post("connect", "{\"addresses\":[\"no port\"]}"), 400},
      {control_post("connect", "{\"addresses\":[\"h:99999\"]}"), 400},
      {control_post("disconnect", "{\"x\":1}"), 400},
      {control_post("why", "{}"), 404},
  };
  return all;
}

}  // namespace

TEST_CASE("bad requests get their status, and the server goes on") {
  TestServer server;
  const auto all = bad_requests();
  REQUIRE(all.size() >= 100);
  for (const Bad& bad : all) {
    INFO(bad.bytes.substr(0, 200));
    RawClient client{server.port()};
    client.send(bad.bytes);
    client.shut();
    CHECK(code_of(client.read_all()) == bad.code);
    CHECK(client.closed());
  }
  RawClient good{server.port()};
  REQUIRE(good.send("GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  CHECK(code_of(good.read_reply()) == 200);
  CHECK(server.connections() == 1);
  CHECK(server.rejected("malformed") > 40);
  CHECK(server.rejected("too_large") >= 6);
  CHECK(server.rejected("unauthorized") == 5);
  server.on_thread([&] { CHECK(server.backend.commands.empty()); });
}

TEST_CASE("random bytes are answered or closed, never more") {
  TestServer server;
  Rng rng{7};
  for (int i = 0; i < 200; ++i) {
    Buffer bytes(static_cast<std::size_t>(rng.below(600)));
    rng.fill(bytes);
    std::string text{as_text(bytes)};
    if (rng.chance(0.5)) text = "GET /" + text + " HTTP/1.1\r\n\r\n";
    RawClient client{server.port()};
    client.send(text + "\r\n\r\n");
    client.shut();
    const int code = code_of(client.read_all());
    CHECK((code == 0 || (code >= 400 && code < 600)));
    CHECK(client.closed());
  }
}

TEST_CASE("a header that never ends is cut off at its limit") {
  TestServer server;
  RawClient client{server.port()};
  REQUIRE(client.send("GET / HTTP/1.1\r\nHost: localhost\r\n"));
  std::size_t sent = 0;
  while (sent < 16 * kMaxHeader && client.send("X-Field: value\r\n")) sent += 16;
  CHECK(code_of(client.read_all()) == 431);
  CHECK(client.closed());
  CHECK(server.rejected("too_large") == 1);
}

TEST_CASE("a slow header, a slow body and a silent client meet their deadlines") {
  Options options = TestServer::default_options();
  options.deadlines.header = options.deadlines.body = options.deadlines.idle = 200ms;
  TestServer server{options};
  RawClient silent{server.port()}, header{server.port()}, body{server.port()}, idle{server.port()};
  const std::string post = with("POST /-/reload HTTP/1.1", "Authorization: Bearer admin\r\n" + length(10));
  REQUIRE(body.send(post));
  REQUIRE(idle.send("GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  // A byte now and then does not move the deadline.
  int bytes = 0;
  for (; bytes < 100 && header.send("G"); ++bytes) std::this_thread::sleep_for(std::chrono::milliseconds{20});
  CHECK(bytes < 50);
  body.send("{");
  CHECK(code_of(silent.read_all()) == 408);
  CHECK(code_of(body.read_all()) == 408);
  CHECK(code_of(idle.read_all()) == 200);
  CHECK(idle.closed());
  CHECK(server.rejected("timeout") == 3);
  CHECK(server.connections() == 0);
}

TEST_CASE("a client that does not read its reply is dropped") {
  Options options = TestServer::default_options();
  options.deadlines.write = 300ms;
  TestServer server{options};
  RawClient client{server.socket()};
  std::string many;
  for (int i = 0; i < 100; ++i) many += with("GET /api/v1/peers HTTP/1.1");
  for (int i = 0; i < 40; ++i) {
    // Until the kernel's buffers are full both ways, the server stops reading us too.
    std::thread sender;
    if (!client.connected()) break;
    sender = std::thread{[&] { client.send(many); }};
    for (int wait = 0; wait < 200 && server.connections() != 0; ++wait)
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    if (server.connections() == 0) {
      sender.join();
      break;
    }
    sender.join();
  }
  CHECK(server.connections() == 0);
  CHECK(server.rejected("timeout") == 1);
}
