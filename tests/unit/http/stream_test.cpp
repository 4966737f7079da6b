// The live stream over real sockets: resumption, bounds, slow readers.
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <thread>

#include "http/hall.hpp"
#include "raw_client.hpp"
#include "test_server.hpp"

using namespace pw;
using namespace pw::http;
using namespace pw::http::test;

namespace {
std::string stream(std::string_view fields = "", std::string_view query = "") {
  return "GET /api/v1/events/stream" + std::string{query} + " HTTP/1.1\r\nHost: localhost\r\n" + std::string{fields} +
         "\r\n";
}
bool soon(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return false;
}
}  // namespace

TEST_CASE("events arrive as they happen, and a reader that comes back misses none") {
  TestServer server;
  server.on_thread([&] { add_events(server.recent, 1, 5); });
  {
    RawClient client{server.port()};
    REQUIRE(client.send(stream()));
    CHECK(client.read_until("\r\n\r\n").find("Content-Type: text/event-stream") != std::string::npos);
    server.on_thread([&] { add_events(server.recent, 6, 1); });
    const std::string text = client.read_until("id: 6\n");
    CHECK(text.find("id: 5\n") == std::string::npos);
    CHECK_FALSE(client.timed_out());
  }
  server.on_thread([&] { add_events(server.recent, 7, 2); });
  RawClient again{server.port()};
  REQUIRE(again.send(stream("Last-Event-ID: 6\r\n")));
  const std::string text = again.read_until("id: 8\n");
  CHECK(text.find("id: 7\nevent: state_changed\ndata: {") != std::string::npos);
  CHECK(text.find("id: 6\n") == std::string::npos);
  CHECK(text.find("missed") == std::string::npos);
}

TEST_CASE("a quiet stream is kept alive by comments") {
  Options options = TestServer::default_options();
  options.deadlines.keep_alive = 100ms;
  TestServer server{options};
  RawClient client{server.port()};
  REQUIRE(client.send(stream()));
  client.read_until(": keep-alive\n\n");
  CHECK_FALSE(client.timed_out());
}

TEST_CASE("streams are bounded, and a reader that leaves makes room") {
  TestServer server;
  std::vector<RawClient> readers;
  for (std::size_t i = 0; i < kMaxStreams; ++i) {
    readers.emplace_back(server.port());
    REQUIRE(readers.back().send(stream()));
    REQUIRE(code_of(readers.back().read_until("retry:")) == 200);
  }
  RawClient late{server.port()};
  REQUIRE(late.send(stream()));
  CHECK(code_of(late.read_reply()) == 503);
  CHECK(server.rejected("too_many_streams") == 1);
  readers.clear();
  CHECK(soon([&] { return server.connections() == 1; }));
  REQUIRE(late.send(stream()));
  CHECK(code_of(late.read_until("retry:")) == 200);
}

TEST_CASE("HEAD on the stream is a reply, not a stream") {
  TestServer server;
  RawClient client{server.port()};
  REQUIRE(client.send("HEAD /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
  CHECK(client.read_all().ends_with("\r\n\r\n"));
  CHECK(client.closed());
}

TEST_CASE("a slow reader is dropped, and what it lost is counted") {
  Options options = TestServer::default_options();
  options.deadlines.stream_write = 300ms;
  TestServer server{options};
  RawClient slow{server.port(), 4096};
  REQUIRE(slow.send(stream()));
  slow.read_until("retry:");
  RawClient quick{server.port()};
  REQUIRE(quick.send(stream()));
  quick.read_until("retry:");
  std::uint64_t seq = 1;
  const bool dropped = soon([&] {
    server.on_thread([&] { add_events(server.recent, seq, 200); });
    seq += 200;
    quick.read_until("id: " + std::to_string(seq - 1) + "\n", std::chrono::seconds{2});
    return server.connections() == 1;
  });
  CHECK(dropped);
  CHECK_FALSE(quick.closed());
  CHECK_FALSE(quick.timed_out());
  CHECK(server.rejected("timeout") == 1);
  std::uint64_t lost = 0;
  server.on_thread([&] { lost = server.backend.lost; });
  CHECK(lost > 0);
}
