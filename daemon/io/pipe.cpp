#include "io/pipe.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cstring>
#include <deque>
#include <utility>

#include "io/sockaddr.hpp"

namespace pw::io {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;
using event::PipeRefusal;

/// TLS that ends at once when the WebSocket does. Beast would wait for the other end's close_notify, who may never say it,
/// and then tell how that went instead of what was wrong.
struct Tls : asio::ssl::stream<beast::tcp_stream> {
  using asio::ssl::stream<beast::tcp_stream>::stream;
};

/// Found by Beast as a customization of its own. What was said last still goes out.
template <class Handler>
void async_teardown(beast::role_type, Tls& tls, Handler&& handler) {
  error_code ignored;
  tls.next_layer().socket().shutdown(tcp::socket::shutdown_send, ignored);
  asio::post(tls.get_executor(), beast::bind_front_handler(std::forward<Handler>(handler), error_code{}));
}

using Stream = websocket::stream<Tls>;

tcp::endpoint endpoint_of(const SocketAddress& address) {
  sockaddr_storage storage{};
  const socklen_t size = to_sockaddr(address, storage);
  tcp::endpoint out;
  std::memcpy(out.data(), &storage, size);
  out.resize(size);
  return out;
}

SocketAddress address_of(const tcp::endpoint& endpoint) {
  sockaddr_storage storage{};
  std::memcpy(&storage, endpoint.data(), endpoint.size());
  return from_sockaddr(storage);
}

/// What TLS offers above it: proxies that speak HTTP/2 otherwise choose that, which has no upgrade.
constexpr std::array<unsigned char, 9> kHttp11{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/// Why reading a client's messages ended; nothing: its own wish, or the network's.
std::optional<PipeRefusal> refusal_of(const error_code& error) {
  if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow)
    return PipeRefusal::too_large;
  if (error == websocket::condition::protocol_violation) return PipeRefusal::protocol;
  return std::nullopt;
}

class WebSocket final : public Pipe, public std::enable_shared_from_this<WebSocket> {
 public:
  WebSocket(tcp::socket socket, const PipeTls& tls, Number number, User& user)
      : tls_{tls},
        deadline_{socket.get_executor()},
        stream_{std::move(socket), tls_.context()},
        number_{number},
        user_{&user} {
    stream_.read_message_max(kMaxMessage);
    stream_.binary(true);
    stream_.auto_fragment(false);
  }

  bool send(ByteView packet) override {
    if (!open_ || closing_ || packet.size() > kMaxMessage || waiting_ + packet.size() > kMaxQueue) return false;
    waiting_ += packet.size();
    queue_.emplace_back(packet.begin(), packet.end());
    if (queue_.size() == 1) write();
    return true;
  }

  void close() override {
    user_ = nullptr;
    if (std::exchange(closing_, true)) return;
    if (!open_) return cut();
    wait(kOpening);
    if (queue_.empty()) say_goodbye(websocket::close_code::normal);  // else when they have left
  }

  // ---- of a client
  void connect(const std::vector<SocketAddress>& to, const WebSocketAddress& address) {
    wait(kOpening);
    host_ = address.port == WebSocketAddress::kDefaultPort ? address.host
                                                           : HostPort{address.host, address.port}.to_string();
    path_ = address.path;
    SSL* native = stream_.next_layer().native_handle();
    if (!IpAddress::parse(address.host)) SSL_set_tlsext_host_name(native, address.host.c_str());
    SSL_set_alpn_protos(native, kHttp11.data(), static_cast<unsigned>(kHttp11.size()));
    std::vector<tcp::endpoint> endpoints;
    for (const SocketAddress& a : to) endpoints.push_back(endpoint_of(a));
    bottom().async_connect(endpoints, [self = shared_from_this()](error_code error, const tcp::endpoint& at) {
      if (self->over(error, {}, "no connection")) return;
      self->remote_ = address_of(at);
      self->set_up_socket();
      self->shake_hands();
    });
  }

  // ---- of a server
  void accept(const SocketAddress& remote, std::string_view path) {
    wait(kOpening);
    path_ = path;
    remote_ = remote;
    set_up_socket();
    stream_.next_layer().async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](error_code failed) {
      if (!self->over(failed, PipeRefusal::tls, "TLS")) self->read_request();
    });
  }

 private:
  beast::tcp_stream& bottom() { return stream_.next_layer().next_layer(); }

  void set_up_socket() {
    error_code ignored;
    bottom().socket().set_option(tcp::no_delay{true}, ignored);
    const int unsent = kUnsentInKernel;
    ::setsockopt(bottom().socket().native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  }

  // ---- opening
  void shake_hands() {
    stream_.next_layer().async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](error_code error) {
      if (self->over(error, {}, "TLS")) return;
      self->stream_.async_handshake(self->host_, self->path_, [self](error_code refused) {
        if (!self->over(refused, {}, "no upgrade to WebSocket")) self->opened();
      });
    });
  }

  void read_request() {
    request_.emplace();
    request_->header_limit(kMaxRequest);
    http::async_read_header(stream_.next_layer(), buffer_, *request_,
                            [self = shared_from_this()](error_code error, std::size_t) {
                              if (!self->over(error, PipeRefusal::not_websocket, "HTTP")) self->judge_request();
                            });
  }

  void judge_request() {
    const auto& request = request_->get();
    const std::string_view target{request.target().data(), request.target().size()};
    if (target.substr(0, target.find('?')) != path_) return refuse(http::status::not_found, PipeRefusal::wrong_path);
    // Frames that come before they were agreed on would be lost here.
    if (!websocket::is_upgrade(request) || buffer_.size() != 0)
      return refuse(http::status::upgrade_required, PipeRefusal::not_websocket);
    stream_.async_accept(request, [self = shared_from_this()](error_code error) {
      if (self->over(error, PipeRefusal::not_websocket, "no upgrade to WebSocket")) return;
      self->request_.reset();
      self->opened();
    });
  }

  void refuse(http::status status, PipeRefusal why) {
    answer_.emplace(status, request_->get().version());
    if (status == http::status::upgrade_required) {
      answer_->set(http::field::upgrade, "websocket");
      answer_->set(http::field::connection, "Upgrade");
    }
    answer_->keep_alive(false);
    answer_->prepare_payload();
    http::async_write(stream_.next_layer(), *answer_, [self = shared_from_this(), why](error_code error, std::size_t) {
      if (!self->over(error, why, "HTTP")) self->end({why, "HTTP"});
    });
  }

  void opened() {
    open_ = true;
    deadline_.cancel();  // how long it is of use is judged by who knows what comes by it
    read();
    if (user_ != nullptr) user_->pipe_opened(number_, remote_);
  }

  bool server() const { return host_.empty(); }

  // ---- open
  void read() {
    stream_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) { self->got(error); });
  }

  void got(error_code error) {
    if (error) return static_cast<void>(over(error, refusal_of(error), "closed"));
    if (!stream_.got_binary()) {
      if (!closing_) {
        closing_ = true;
        wait(kOpening);
        say_goodbye(websocket::close_code::unknown_data);
      }
      return tell_end({PipeRefusal::text, "a message that is not binary"});
    }
    if (user_ != nullptr) {
      const auto data = buffer_.cdata();
      user_->pipe_read(number_, {static_cast<const std::uint8_t*>(data.data()), data.size()});
    }
    buffer_.consume(buffer_.size());
    read();
  }

  void write() {
    stream_.async_write(asio::buffer(queue_.front()), [self = shared_from_this()](error_code error, std::size_t) {
      if (self->over(error, {}, "closed")) return;
      self->waiting_ -= self->queue_.front().size();
      self->queue_.pop_front();
      if (!self->queue_.empty())
        self->write();
      else if (self->closing_)
        self->say_goodbye(websocket::close_code::normal);
    });
  }

  // ---- the end
  void say_goodbye(websocket::close_code code) {
    if (!std::exchange(said_goodbye_, true))
      stream_.async_close(code, [self = shared_from_this()](error_code) { self->cut(); });
  }

  /// `refusal`: what a client did wrong if this failed.
  bool over(const error_code& error, std::optional<PipeRefusal> refusal, const char* what) {
    if (!error && !cut_) return false;
    if (late_ && !open_) refusal = PipeRefusal::timeout;
    end({server() ? refusal : std::nullopt, std::string{what} + ": " + (late_ ? "too late" : error.message())});
    return true;
  }

  void end(const Ending& ending) {
    cut();
    tell_end(ending);
  }

  void tell_end(const Ending& ending) {
    if (User* user = std::exchange(user_, nullptr)) user->pipe_ended(number_, ending);
  }

  void cut() {
    cut_ = true;
    deadline_.cancel();
    bottom().close();
  }

  void wait(Duration d) {
    deadline_.expires_after(d);
    deadline_.async_wait([self = shared_from_this()](error_code error) {
      if (error || self->cut_) return;
      self->late_ = true;
      self->cut();
    });
  }

  PipeTls tls_;
  asio::steady_timer deadline_;
  Stream stream_;
  Number number_;
  User* user_;
  SocketAddress remote_;
  std::string host_;  // that a client wants; empty: a server's
  std::string path_;
  std::optional<http::request_parser<http::empty_body>> request_;
  std::optional<http::response<http::empty_body>> answer_;
  beast::flat_buffer buffer_{kMaxRequest};
  std::deque<Buffer> queue_;  // the first is being written
  std::size_t waiting_ = 0;   // bytes in it
  bool open_ = false;
  bool closing_ = false;
  bool said_goodbye_ = false;
  bool late_ = false;
  bool cut_ = false;
};

}  // namespace

std::shared_ptr<Pipe> Pipe::connect(asio::io_context& context, const PipeTls& tls, Number number,
                                    const std::vector<SocketAddress>& to, const WebSocketAddress& address, User& user) {
  auto pipe = std::make_shared<WebSocket>(tcp::socket{context}, tls, number, user);
  pipe->connect(to, address);
  return pipe;
}

std::shared_ptr<Pipe> Pipe::accept(tcp::socket client, const PipeTls& tls, Number number, const SocketAddress& remote,
                                   std::string_view path, User& user) {
  auto pipe = std::make_shared<WebSocket>(std::move(client), tls, number, user);
  pipe->accept(remote, path);
  return pipe;
}

}  // namespace pw::io
