// The client against a server of a few lines that answers with given bytes.
#include "cli/daemon_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <thread>

using namespace pw;
using namespace pw::cli;

namespace {

/// Answers one connection with `reply` once the request's header is in, then closes.
class OneReply {
 public:
  explicit OneReply(std::string reply) : listener_{::socket(AF_INET, SOCK_STREAM, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), length);
    ::listen(listener_, 1);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread{[this, reply = std::move(reply)] {
      const int fd = ::accept(listener_, nullptr, nullptr);
      char bytes[4096];
      while (request_.find("\r\n\r\n") == std::string::npos) {
        const auto got = ::recv(fd, bytes, sizeof bytes, 0);
        if (got <= 0) break;
        request_.append(bytes, static_cast<std::size_t>(got));
      }
      ::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL);
      if (reply.empty()) ::recv(fd, bytes, sizeof bytes, 0);  // silent until the client goes
      ::close(fd);
    }};
  }
  ~OneReply() {
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }
  std::unique_ptr<Daemon> client(std::string token = {}) const {
    return make_daemon(parse_url(url_).value(), std::move(token));
  }
  const std::string& request() {
    thread_.join();
    return request_;
  }

 private:
  int listener_;
  std::string url_, request_;
  std::thread thread_;
};

std::string ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

}  // namespace

TEST_CASE("a request carries Host, token and JSON, and the answer comes back whole") {
  OneReply server{ok("{\"a\":1}")};
  const auto answer = server.client("secret")->ask("POST", "/x?y=1", "{}", 5s);
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body == "{\"a\":1}");
  const std::string& request = server.request();
  CHECK(request.starts_with("POST /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
  CHECK(request.find("Authorization: Bearer secret\r\n") != std::string::npos);
  CHECK(request.find("Content-Type: application/json\r\nContent-Length: 2\r\n") != std::string::npos);
}

TEST_CASE("an answer that is none is an error with words") {
  const auto error = [](const std::string& reply) {
    OneReply server{reply};
    const auto answer = server.client()->ask("GET", "/", "", 300ms);
    return answer ? std::string{} : answer.error().detail;
  };
  CHECK(error("") == "the daemon does not answer");
  CHECK(error("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort") == "the daemon closed the connection");
  CHECK(error("SSH-2.0-OpenSSH\r\n\r\n").find("no understandable answer") == 0);
  CHECK(make_daemon(parse_url("http://127.0.0.1:1").value(), "")
            ->ask("GET", "/", "", 1s)
            .error()
            .detail.find("Connection refused") != std::string::npos);
  Endpoint endpoint;
  endpoint.socket = "/nonexistent/control.sock";
  CHECK(make_daemon(endpoint, "")->ask("GET", "/", "", 1s).error().detail ==
        "can't reach the daemon at /nonexistent/control.sock: it does not exist; is peerwatchd running?");
  endpoint.socket = std::string(300, 'x');
  CHECK_FALSE(make_daemon(endpoint, "")->ask("GET", "/", "", 1s));
}

TEST_CASE("a stream is cut into events until it ends") {
  OneReply server{
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 2000\n\n: hello\n\nid: 1\nevent: a\ndata: "
      "x\n\nid: 2\ndata: y\ndata: z\n\nid: 3\ndata: cut"};
  std::vector<StreamEvent> events;
  const auto end = server.client()->follow("/s", "41", [&](const StreamEvent& event) {
    events.push_back(event);
    return true;
  });
  CHECK_FALSE(end);
  REQUIRE(events.size() == 2);
  CHECK((events[0].id == "1" && events[0].type == "a" && events[0].data == "x"));
  CHECK((events[1].id == "2" && events[1].data == "y\nz"));
  CHECK(server.request().find("Last-Event-ID: 41\r\n") != std::string::npos);
}

TEST_CASE("a refused stream is an answer") {
  OneReply server{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}"};
  const auto answer = server.client()->follow("/s", "", [](const StreamEvent&) { return true; });
  REQUIRE(answer);
  CHECK(answer->status == 503);
}

TEST_CASE("events are put together however the bytes arrive") {
  const std::string text = "id: 1\r\nevent: a\r\ndata: x\r\n\r\nid:2\ndata:y\n\n";
  for (std::size_t step = 1; step < text.size(); ++step) {
    EventReader reader;
    std::string seen;
    for (std::size_t i = 0; i < text.size(); i += step)
      CHECK(reader.take(std::string_view{text}.substr(i, step), [&](const StreamEvent& e) {
        seen += e.id + e.type + e.data + ";";
        return true;
      }));
    CHECK(seen == "1ax;2y;");
  }
  EventReader reader;
  CHECK_FALSE(reader.take(std::string(EventReader::kMaxLine + 1, 'x'), [](const StreamEvent&) { return true; }));
}

TEST_CASE("URLs") {
  CHECK(parse_url("http://h")->port == "9470");
  CHECK(parse_url("http://h:80/")->port == "80");
  CHECK(parse_url("http://[::1]:1")->host == "::1");
  CHECK(parse_url("http://[::1]:1")->authority == "[::1]:1");
  for (const auto* url : {"", "h", "https://h", "ftp://h", "http://", "http://h:", "http://h:x", "http://h:123456",
                          "http://h/x", "http://[::1", "http://u@h", "http://h\r\nX: y"})
    CHECK_FALSE(parse_url(url));
}
