#include "cli/daemon_client.hpp"

// Asio and Beast are confined to this file.
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

namespace pw::cli {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;

constexpr Duration kConnectPatience = 5s;
constexpr Duration kStreamPatience = 45s;         // the daemon writes a comment every 15 s
constexpr std::uint64_t kMaxBody = 256ULL << 20;  // 100,000 peers in full

class BlockingDaemon final : public Daemon {
 public:
  BlockingDaemon(Endpoint endpoint, std::string token) : endpoint_{std::move(endpoint)}, token_{std::move(token)} {}

  Result<Response> ask(std::string_view method, const std::string& target, const std::string& body,
                       Duration patience) override {
    if (auto sent = open_and_send(method, target, body, ""); !sent) return tl::unexpected{sent.error()};
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    boost::beast::flat_buffer buffer;
    if (const auto error = wait(patience, [&](auto done) { http::async_read(*socket_, buffer, parser, done); }))
      return no_answer(error);
    return Response{parser.get().result_int(), std::move(parser.get().body())};
  }

  Result<Response> follow(const std::string& target, const std::string& last_id,
                          const std::function<bool(const StreamEvent&)>& each) override {
    const std::string resume = last_id.empty() ? "" : "Last-Event-ID: " + last_id + "\r\n";
    if (auto sent = open_and_send("GET", target, "", resume); !sent) return tl::unexpected{sent.error()};
    http::response_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    boost::beast::flat_buffer buffer;
    if (const auto error =
            wait(kStreamPatience, [&](auto done) { http::async_read_header(*socket_, buffer, parser, done); }))
      return no_answer(error);
    EventReader reader;
    const bool good = parser.get().result_int() == 200;
    while (!parser.is_done()) {
      if (const auto error =
              wait(kStreamPatience, [&](auto done) { http::async_read_some(*socket_, buffer, parser, done); }))
        return no_answer(error);
      if (!good) continue;
      const std::string piece = std::exchange(parser.get().body(), {});
      if (!reader.take(piece, each)) return Response{200, {}};
    }
    if (good) return fail("the daemon ended the stream");
    return Response{parser.get().result_int(), std::move(parser.get().body())};
  }

 private:
  /// Starts an operation and runs it to its end, or to the end of our patience.
  template <class Start>
  error_code wait(Duration patience, Start start) {
    std::optional<error_code> result;
    start([&result](error_code error, auto&&...) { result = error; });
    context_.restart();
    context_.run_for(patience);
    if (result) return *result;
    error_code ignored;
    socket_->close(ignored);
    context_.restart();
    context_.run();
    return asio::error::timed_out;
  }

  Status open_and_send(std::string_view method, const std::string& target, const std::string& body,
                       const std::string& fields) {
    socket_.emplace(context_);
    if (auto connected = endpoint_.socket.empty() ? connect_tcp() : connect_socket(); !connected) return connected;
    std::string request = std::string{method} + " " + target + " HTTP/1.1\r\nHost: " + endpoint_.authority +
                          "\r\nConnection: close\r\nUser-Agent: peerwatch\r\n" + fields;
    if (!token_.empty()) request += "Authorization: Bearer " + token_ + "\r\n";
    if (method == "POST")
      request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    request += "\r\n" + body;
    if (const auto error =
            wait(kConnectPatience, [&](auto done) { asio::async_write(*socket_, asio::buffer(request), done); }))
      return no_answer(error);
    return {};
  }

  Status connect_socket() {
    constexpr std::size_t kLongestPath = 107;
    if (endpoint_.socket.size() > kLongestPath)
      return fail("the path of the control socket is longer than " + std::to_string(kLongestPath) + " characters");
    const asio::generic::stream_protocol::endpoint to{asio::local::stream_protocol::endpoint{endpoint_.socket}};
    const auto error = wait(kConnectPatience, [&](auto done) { socket_->async_connect(to, done); });
    if (!error) return {};
    std::string why = error.message();
    if (error == asio::error::access_denied) why = "permission denied: only the daemon's user and group may open it";
    if (error == boost::system::errc::no_such_file_or_directory) why = "it does not exist; is peerwatchd running?";
    if (error == asio::error::connection_refused) why = "nobody listens; is peerwatchd running?";
    return fail("can't reach the daemon at " + endpoint_.socket + ": " + why);
  }

  Status connect_tcp() {
    asio::ip::tcp::resolver resolver{context_};
    error_code error;
    const auto found = resolver.resolve(endpoint_.host, endpoint_.port, error);
    if (error) return fail("can't reach the daemon at " + endpoint_.authority + ": " + error.message());
    error = asio::error::host_not_found;
    for (const auto& entry : found) {
      socket_.emplace(context_);
      const asio::generic::stream_protocol::endpoint to{entry.endpoint()};
      error = wait(kConnectPatience, [&](auto done) { socket_->async_connect(to, done); });
      if (!error) return {};
    }
    return fail("can't reach the daemon at " + endpoint_.authority + ": " + error.message());
  }

  static tl::unexpected<Error> no_answer(error_code error) {
    if (error == asio::error::timed_out) return fail("the daemon does not answer");
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error == asio::error::connection_reset)
      return fail("the daemon closed the connection");
    return fail("no understandable answer from the daemon: " + error.message());
  }

  asio::io_context context_;
  std::optional<Socket> socket_;
  Endpoint endpoint_;
  std::string token_;
};

}  // namespace

std::unique_ptr<Daemon> make_daemon(Endpoint endpoint, std::string token) {
  return std::make_unique<BlockingDaemon>(std::move(endpoint), std::move(token));
}

}  // namespace pw::cli
