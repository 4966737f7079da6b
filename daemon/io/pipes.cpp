#include "io/pipes.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <utility>

#include "io/clock.hpp"
#include "io/sockaddr.hpp"

namespace pw::io {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

IpAddress source_of(const IpAddress& ip) {
  if (ip.family() == Family::v4) return ip;
  std::array<std::uint8_t, 16> bytes{};
  std::copy_n(ip.bytes().begin(), 8, bytes.begin());
  return IpAddress::v6(bytes);
}

SocketAddress address_of(const asio::ip::tcp::endpoint& endpoint) {
  sockaddr_storage storage{};
  std::memcpy(&storage, endpoint.data(), endpoint.size());
  return from_sockaddr(storage);
}

}  // namespace

Pipes::Pipes(asio::io_context& context, PipeUser& user)
    : context_{context}, user_{user}, pause_{context}, resolver_{[this](std::uint64_t id, Resolver::Answer answer) {
        asio::post(context_, [this, id, a = std::move(answer)] { resolved(Number{id}, a); });
      }} {}

// ---- clients that come

Status Pipes::listen(const SocketAddress& address, std::string path, PipeTls tls) {
  path_ = std::move(path);
  server_tls_ = std::move(tls);
  const bool v4 = address.ip.family() == Family::v4;
  const auto protocol = v4 ? asio::ip::tcp::v4() : asio::ip::tcp::v6();
  sockaddr_storage storage{};
  const socklen_t size = to_sockaddr(address, storage);
  asio::ip::tcp::endpoint at;
  std::memcpy(at.data(), &storage, size);
  at.resize(size);
  error_code error;
  acceptor_.emplace(context_);
  acceptor_->open(protocol, error);
  if (!error) acceptor_->set_option(asio::socket_base::reuse_address{true}, error);
  if (!error && !v4) acceptor_->set_option(asio::ip::v6_only{true}, error);
  if (!error) acceptor_->bind(at, error);
  if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    acceptor_.reset();
    const bool low = error == asio::error::access_denied && address.port < 1024;
    return fail("relay_server.websocket_listen: can't listen on " + address.to_string() + ": " + error.message() +
                (low ? " (ports below 1024 need CAP_NET_BIND_SERVICE)" : ""));
  }
  await_client();
  return {};
}

SocketAddress Pipes::listening() const { return acceptor_ ? address_of(acceptor_->local_endpoint()) : SocketAddress{}; }

void Pipes::await_client() {
  acceptor_->async_accept([this](error_code error, asio::ip::tcp::socket client) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      take(std::move(client));
      return await_client();
    }
    user_.pipe_trouble("accepting WebSockets failed: " + error.message());
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code stopped) {
      if (!stopped) await_client();
    });
  });
}

std::optional<event::PipeRefusal> Pipes::against(const IpAddress& source) {
  if (accepted_ >= kMaxAccepted) return event::PipeRefusal::full;
  const auto known = sources_.find(source);
  if (known != sources_.end() && known->second >= kMaxOfSource) return event::PipeRefusal::source_limit;
  return handshakes_.take(Clock::now()) ? std::nullopt : std::optional{event::PipeRefusal::rate_limited};
}

void Pipes::take(asio::ip::tcp::socket client) {
  error_code error;
  const auto endpoint = client.remote_endpoint(error);
  if (error) return;  // gone already
  const SocketAddress remote = address_of(endpoint);
  if (const auto reason = against(source_of(remote.ip))) return user_.pipe_refused(*reason, remote);
  const Number number{++last_};
  ++accepted_;
  ++sources_[source_of(remote.ip)];
  Known& known = pipes_[number];
  known.remote = remote;
  known.accepted = true;
  known.pipe = Pipe::accept(std::move(client), *server_tls_, number, remote, path_, *this);
}

// ---- what the core asks for

void Pipes::open(Via via, const WebSocketAddress& to) {
  const Number number{++last_};
  Known& known = pipes_[number];
  known.via = via;
  known.to = to;
  by_via_[via] = number;
  resolver_.resolve(static_cast<std::uint64_t>(number), to.host);
}

void Pipes::resolved(Number number, const Resolver::Answer& addresses) {
  const auto found = pipes_.find(number);
  if (found == pipes_.end()) return;
  Known& known = found->second;
  if (!addresses) {
    const Via via = *known.via;
    forget(number);
    return user_.pipe_opened(via, fail(addresses.error().detail));
  }
  std::vector<SocketAddress> to;
  for (const IpAddress& ip : *addresses) to.push_back({ip, known.to.port});
  known.pipe = Pipe::connect(context_, client_tls_, number, to, known.to, *this);
}

void Pipes::close(Via via) {
  const auto known = by_via_.find(via);
  if (known == by_via_.end()) return;
  const Number number = known->second;
  if (const auto& pipe = pipes_.at(number).pipe) pipe->close();
  forget(number);
}

bool Pipes::send(Via via, ByteView packet) {
  const auto known = by_via_.find(via);
  if (known == by_via_.end()) return false;
  const auto& pipe = pipes_.at(known->second).pipe;
  return pipe && pipe->send(packet);
}

void Pipes::stop() {
  pause_.cancel();
  error_code ignored;
  if (acceptor_) acceptor_->close(ignored);
  for (auto& [number, known] : std::exchange(pipes_, {}))
    if (known.pipe) known.pipe->close();
  by_via_.clear();
}

void Pipes::forget(Number number) {
  const auto found = pipes_.find(number);
  if (found == pipes_.end()) return;
  const Known known = std::move(found->second);
  pipes_.erase(found);
  if (known.via) by_via_.erase(*known.via);
  if (!known.accepted) return;
  --accepted_;
  const auto source = sources_.find(source_of(known.remote.ip));
  if (--source->second == 0) sources_.erase(source);
}

// ---- what pipes say

void Pipes::pipe_opened(Number number, const SocketAddress& remote) {
  Known& known = pipes_.at(number);
  if (!known.accepted) {
    known.remote = remote;
    return user_.pipe_opened(*known.via, remote);
  }
  known.via = user_.pipe_accepted(remote);
  by_via_[*known.via] = number;
}

void Pipes::pipe_read(Number number, ByteView packet) {
  const Known& known = pipes_.at(number);
  user_.pipe_read({IpAddress::any(known.remote.ip.family()), known.remote, *known.via}, packet);
}

void Pipes::pipe_ended(Number number, const Pipe::Ending& ending) {
  const Known known = pipes_.at(number);
  forget(number);
  if (ending.refusal) user_.pipe_refused(*ending.refusal, known.remote);
  if (!known.via) return;
  const bool was_open = known.accepted || known.remote.port != 0;
  if (was_open)
    user_.pipe_closed(*known.via);
  else
    user_.pipe_opened(*known.via, fail(ending.detail));
}

}  // namespace pw::io
