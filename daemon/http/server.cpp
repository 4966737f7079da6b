#include "http/server.hpp"

#include <netinet/in.h>

#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>

#include "http/connection.hpp"
#include "http/listen_socket.hpp"

namespace pw::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

/// How long a listener rests when the process is out of descriptors or memory: accepting would fail again at once.
constexpr Duration kAcceptPause = 100ms;

IpAddress address_of(const Protocol::endpoint& endpoint) {
  sockaddr_storage storage{};
  std::memcpy(&storage, endpoint.data(), std::min(sizeof storage, endpoint.size()));
  if (storage.ss_family == AF_INET6) {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, bytes.size());
    return IpAddress::v6(bytes);
  }
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, bytes.size());
  return IpAddress::v4(bytes);
}

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& context, const Protocol& protocol, Descriptor& descriptor, bool control,
           std::shared_ptr<Hall> hall)
      : acceptor_{context, protocol, descriptor.release()},
        timer_{context},
        control_{control},
        hall_{std::move(hall)} {}

  void accept() {
    acceptor_.async_accept(peer_, [self = shared_from_this()](error_code error, StreamSocket socket) {
      self->accepted(error, std::move(socket));
    });
  }
  void close() {
    error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
  }
  SocketAddress address() { return local_address_of(acceptor_.native_handle()); }

 private:
  void accepted(error_code error, StreamSocket socket) {
    if (!acceptor_.is_open()) return;
    if (error && error != asio::error::connection_aborted) return pause();
    if (!error) welcome(std::move(socket));
    accept();
  }

  void pause() {
    timer_.expires_after(kAcceptPause);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error && self->acceptor_.is_open()) self->accept();
    });
  }

  void welcome(StreamSocket socket) {
    const Client client{control_, control_ ? IpAddress{} : address_of(peer_)};
    if (hall_->enter(client)) return serve_connection(std::move(socket), client, hall_);
    hall_->metrics.rejected(observe::HttpReject::too_many_connections);
    static constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(kFull), ignored);
  }

  asio::basic_socket_acceptor<Protocol> acceptor_;
  asio::steady_timer timer_;
  bool control_;
  std::shared_ptr<Hall> hall_;
  Protocol::endpoint peer_;
};

}  // namespace

struct Server::Impl {
  std::shared_ptr<Hall> hall;
  std::vector<std::shared_ptr<Listener>> tcp;
  std::shared_ptr<Listener> control;
  std::optional<ControlSocket> control_socket;

  Status open(asio::io_context& context, const Options& options) {
    for (const SocketAddress& address : options.listen) {
      auto socket = listen_tcp(address);
      if (!socket) return tl::unexpected{socket.error()};
      const Protocol protocol{address.ip.family() == Family::v6 ? AF_INET6 : AF_INET, IPPROTO_TCP};
      tcp.push_back(std::make_shared<Listener>(context, protocol, *socket, false, hall));
    }
    if (options.control_socket.empty()) return {};
    auto socket = ControlSocket::open(options.control_socket);
    if (!socket) return tl::unexpected{socket.error()};
    control_socket.emplace(std::move(*socket));
    control = std::make_shared<Listener>(context, Protocol{AF_UNIX, 0}, control_socket->descriptor(), true, hall);
    return {};
  }
};

Server::Server(std::shared_ptr<Impl> impl) : impl_{std::move(impl)} {}

Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::start(asio::io_context& context, Options options, Backend& backend,
                                              const observe::RecentEvents& recent, observe::HttpMetrics& metrics) {
  auto impl = std::make_shared<Impl>();
  impl->hall = std::make_shared<Hall>(std::move(options.policy), backend, recent, metrics);
  impl->hall->deadlines = options.deadlines;
  if (auto opened = impl->open(context, options); !opened) return tl::unexpected{opened.error()};
  for (const auto& listener : impl->tcp) listener->accept();
  if (impl->control) impl->control->accept();
  return std::unique_ptr<Server>{new Server{std::move(impl)}};
}

void Server::configure(Policy policy) { impl_->hall->application.configure(std::move(policy)); }

void Server::stop() {
  for (const auto& listener : impl_->tcp) listener->close();
  if (impl_->control) impl_->control->close();
  impl_->control_socket.reset();
  // finish() may end a connection, which takes it off the table.
  std::vector<std::shared_ptr<Session>> sessions;
  for (const auto& [key, session] : impl_->hall->sessions)
    if (auto alive = session.lock()) sessions.push_back(std::move(alive));
  for (const auto& session : sessions) session->finish();
}

std::vector<SocketAddress> Server::addresses() const {
  std::vector<SocketAddress> all;
  for (const auto& listener : impl_->tcp) all.push_back(listener->address());
  return all;
}

std::size_t Server::connections() const { return impl_->hall->tcp + impl_->hall->control; }

}  // namespace pw::http
