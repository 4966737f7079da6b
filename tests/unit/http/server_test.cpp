#include "http/server.hpp"

#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "http/hall.hpp"
#include "raw_client.hpp"
#include "test_server.hpp"

using namespace pw;
using namespace pw::http;
using namespace pw::http::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

std::string get(std::string_view target, std::string_view fields = "") {
  return "GET " + std::string{target} + " HTTP/1.1\r\nHost: localhost\r\n" + std::string{fields} + "\r\n";
}
std::string post(std::string_view target, std::string_view body, std::string_view fields = "") {
  return "POST " + std::string{target} +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + std::string{fields} + "\r\n" + std::string{body};
}

/// Waits, boundedly, until a condition that the server's thread brings about holds.
bool soon(const std::function<bool()>& condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

}  // namespace

TEST_CASE("every route answers over TCP and over the control socket") {
  TestServer server;
  server.on_thread([&] { add_events(server.recent, 1, 3); });
  for (const RouteInfo& info : all_routes()) {
    if (info.route == Route::event_stream) continue;
    std::string path{info.path};
    if (const auto at = path.find("{id}"); at != std::string::npos) path.replace(at, 4, "node-b");
    const bool is_get = info.method == Method::get;
    INFO(path);
    RawClient control{server.socket()};
    REQUIRE(control.send(is_get ? get(path) : post(path, "{}")));
    CHECK(code_of(control.read_reply()) == 200);
    RawClient tcp{server.port()};
    REQUIRE(tcp.send(is_get ? get(path) : post(path, "{}", "Authorization: Bearer admin\r\n")));
    CHECK(code_of(tcp.read_reply()) == 200);
    if (!is_get) {
      RawClient stranger{server.port()};
      REQUIRE(stranger.send(post(path, "{}")));
      CHECK(code_of(stranger.read_reply()) == 401);
    }
  }
  CHECK(server.rejected("unauthorized") == 5);
  double served = 0;
  server.on_thread([&] {
    served = server.backend.sample("peerwatch_http_requests_total{code=\"200\",route=\"/api/v1/peers/{id}\"}");
  });
  CHECK(served == 2);
}

TEST_CASE("a connection is kept, requests may be pipelined, and answers keep their order") {
  TestServer server;
  RawClient client{server.port()};
  REQUIRE(client.send(get("/-/healthy") + get("/nothing") + post("/-/reload", "{}", "Authorization: Bearer admin\r\n") +
                      get("/-/ready")));
  CHECK(code_of(client.read_reply()) == 200);
  CHECK(code_of(client.read_reply()) == 404);
  CHECK(client.read_reply().find("needs_restart") != std::string::npos);
  CHECK(client.read_reply().find("\"ready\":true") != std::string::npos);
  REQUIRE(client.send(get("/-/healthy", "Connection: close\r\n")));
  CHECK(client.read_all().find("Connection: close") != std::string::npos);
  CHECK(client.closed());
}

TEST_CASE("HEAD has the header of GET and no body") {
  TestServer server;
  RawClient client{server.port()};
  REQUIRE(client.send("HEAD /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n" +
                      get("/-/healthy", "Connection: close\r\n")));
  const std::string both = client.read_all();
  CHECK(both.starts_with("HTTP/1.1 200 OK\r\n"));
  const auto end = both.find("\r\n\r\n");
  CHECK(both.substr(end + 4).starts_with("HTTP/1.1 200 OK"));
  CHECK(both.find("Content-Length: 0") == std::string::npos);
}

TEST_CASE("a header that can't be read is answered and counted by itself, not as the request before it") {
  TestServer server;
  RawClient client{server.port()};
  REQUIRE(client.send("HEAD /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n" + "nonsense\r\n\r\n"s));
  const std::string both = client.read_all();
  CHECK(both.find("HTTP/1.1 400 ") != std::string::npos);
  CHECK(both.find("this is no valid HTTP/1.1 request") != std::string::npos);  // a body, although HEAD came before
  double none = 0, healthy = 0;
  server.on_thread([&] {
    none = server.backend.sample("peerwatch_http_requests_total{code=\"400\",route=\"none\"}");
    healthy = server.backend.sample("peerwatch_http_requests_total{code=\"400\",route=\"/-/healthy\"}");
  });
  CHECK(none == 1);
  CHECK(healthy == -1);
}

TEST_CASE("a client of HTTP/1.0 is served and let go") {
  TestServer server;
  RawClient client{server.port()};
  REQUIRE(client.send("GET /-/healthy HTTP/1.0\r\n\r\n"));
  CHECK(code_of(client.read_all()) == 200);
  CHECK(client.closed());
}

TEST_CASE("who expects 100-continue gets it, once welcome") {
  TestServer server;
  RawClient client{server.socket()};
  const std::string request =
      post("/api/v1/peers/node-b/connect", R"({"addresses":["h:1"]})", "Expect: 100-continue\r\n");
  const auto body = request.find("\r\n\r\n") + 4;
  REQUIRE(client.send(request.substr(0, body)));
  CHECK(client.read_reply() == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send(request.substr(body)));
  CHECK(code_of(client.read_reply()) == 200);
  RawClient stranger{server.port()};
  REQUIRE(stranger.send(request.substr(0, body)));
  CHECK(code_of(stranger.read_all()) == 401);
  CHECK(stranger.closed());
}

TEST_CASE("chunked bodies are read") {
  TestServer server;
  RawClient client{server.socket()};
  REQUIRE(
      client.send("POST /api/v1/peers/node-b/ping HTTP/1.1\r\nHost: x\r\nContent-Type: "
                  "application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "5\r\n{\"siz\r\n6\r\ne\":12}\r\n0\r\n\r\n"));
  CHECK(code_of(client.read_reply()) == 200);
  server.on_thread([&] { CHECK(std::get<event::Ping>(server.backend.commands.at(0)).size == 12); });
}

TEST_CASE("a backend that never answers costs a request, not the server", "[slow]") {
  TestServer server;
  server.on_thread([&] { server.backend.deaf = true; });
  std::optional<RawClient> client{server.port()};
  REQUIRE(client->send(get("/api/v1/status")));
  RawClient other{server.port()};
  REQUIRE(other.send(get("/-/healthy")));
  CHECK(code_of(other.read_reply()) == 200);
  const std::string late = client->read_until("\r\n\r\n", 12s);
  CHECK(code_of(late) == 503);
  client.reset();
  CHECK(soon([&] { return server.connections() == 1; }));  // the question that the backend keeps holds nothing
}

TEST_CASE("a flood of connections is turned away at the limit, and the control socket stays usable") {
  TestServer server;
  std::vector<RawClient> flood;
  for (std::size_t i = 0; i < kMaxConnectionsPerClient + 20; ++i) flood.emplace_back(server.port());
  CHECK(soon([&] { return server.rejected("too_many_connections") >= 20; }));
  CHECK(server.connections() == kMaxConnectionsPerClient);
  CHECK(code_of(flood.back().read_all()) == 503);
  RawClient control{server.socket()};
  REQUIRE(control.send(get("/-/healthy")));
  CHECK(code_of(control.read_reply()) == 200);
  flood.clear();
  CHECK(soon([&] { return server.connections() == 1; }));
  RawClient again{server.port()};
  REQUIRE(again.send(get("/-/healthy")));
  CHECK(code_of(again.read_reply()) == 200);
}

TEST_CASE("stop ends idle connections and streams, and removes the control socket") {
  TestServer server;
  RawClient idle{server.port()}, stream{server.port()};
  REQUIRE(idle.send(get("/-/healthy")));
  idle.read_reply();
  REQUIRE(stream.send(get("/api/v1/events/stream")));
  stream.read_until("retry:");
  CHECK(std::filesystem::exists(server.socket()));
  const auto begun = std::chrono::steady_clock::now();
  server.stop();
  CHECK(std::chrono::steady_clock::now() - begun < 3s);
  idle.read_all();
  stream.read_all();
  CHECK(idle.closed());
  CHECK(stream.closed());
  CHECK_FALSE(std::filesystem::exists(server.socket()));
}

TEST_CASE("a reload's tokens hold for the next request") {
  TestServer server;
  RawClient client{server.port()};
  REQUIRE(client.send(get("/metrics")));
  CHECK(code_of(client.read_reply()) == 200);
  server.on_thread([&] { server.server->configure(Policy{{"m", "other"}, {}, 50}); });
  REQUIRE(client.send(get("/metrics")));
  CHECK(code_of(client.read_reply()) == 401);
  REQUIRE(client.send(get("/metrics", "Authorization: Bearer m\r\n")));
  CHECK(code_of(client.read_reply()) == 200);
}

TEST_CASE("listening fails with one sentence that says why") {
  TestServer server;
  boost::asio::io_context context;
  FakeBackend backend;
  observe::RecentEvents recent;
  const auto attempt = [&](Options options) {
    auto started = Server::start(context, std::move(options), backend, recent, backend.metrics->http());
    return started ? std::string{} : started.error().detail;
  };
  Options options;
  options.listen = {SocketAddress{IpAddress::v4({127, 0, 0, 1}), server.port()}};
  CHECK(attempt(options) == "http.listen: can't listen on 127.0.0.1:" + std::to_string(server.port()) +
                                ": the port is in use by another process");
  options.listen = {SocketAddress{IpAddress::v4({192, 0, 2, 1}), 0}};
  CHECK(attempt(options).find("this machine does not have that address") != std::string::npos);
  options.listen.clear();
  options.control_socket = server.socket();
  CHECK(attempt(options).find("is peerwatchd running already?") != std::string::npos);
  options.control_socket = "/nonexistent/x/control.sock";
  CHECK(attempt(options).find("create /nonexistent/x/") != std::string::npos);
  options.control_socket = std::string(200, 'x');
  CHECK(attempt(options).find("characters") != std::string::npos);
  options.control_socket = server.socket() + ".file";
  std::ofstream{options.control_socket} << "mine";
  CHECK(attempt(options).find("something else has that name") != std::string::npos);
  CHECK(std::filesystem::file_size(options.control_socket) == 4);
}

TEST_CASE("the control socket has mode 0660 and replaces a stale one") {
  TestServer server;
  struct stat status {};
  REQUIRE(::stat(server.socket().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0660);
  const std::string stale = server.socket() + ".stale";
  {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, stale.data(), stale.size());
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(fd);
  }
  boost::asio::io_context context;
  FakeBackend backend;
  observe::RecentEvents recent;
  Options options;
  options.control_socket = stale;
  CHECK(Server::start(context, options, backend, recent, backend.metrics->http()));
  CHECK_FALSE(std::filesystem::exists(stale));
}
