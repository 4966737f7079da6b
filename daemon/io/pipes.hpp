// Pipes: every WebSocket of this node: those that the core asks for, and those of clients that come here as to a server. On the
// thread of its io_context; nobody is told from within a call.
//
// Who comes costs a TLS handshake before anything is known of him: so many in all, so many of one address, so many a second,
// and what is more is closed unread and counted.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/token_bucket.hpp"
#include "io/pipe.hpp"
#include "io/resolver.hpp"

namespace pw::io {

/// Whose they are.
class PipeUser {
 public:
  virtual ~PipeUser() = default;
  /// A client's: the number that its packets come and go through.
  virtual Via pipe_accepted(const SocketAddress& from) = 0;
  /// Answers open(), always.
  virtual void pipe_opened(Via via, const Result<SocketAddress>& opened) = 0;
  virtual void pipe_closed(Via via) = 0;
  virtual void pipe_read(const PathAddress& from, ByteView packet) = 0;
  virtual void pipe_refused(event::PipeRefusal reason, const SocketAddress& from) = 0;
  virtual void pipe_trouble(const std::string& detail) = 0;
};

class Pipes : private Pipe::User {
 public:
  /// Twice as many as a relay has clients. Each costs up to 100 kB.
  static constexpr std::size_t kMaxAccepted = 512;
  /// Of one IPv4 address or IPv6 /64: an office behind one NAT.
  static constexpr std::size_t kMaxOfSource = 64;
  /// A signature costs about a millisecond of the network thread.
  static constexpr double kHandshakesPerSecond = 50;
  static constexpr double kHandshakesBurst = 100;
  /// When the process has no descriptor left for another one.
  static constexpr Duration kAcceptPause = 100ms;

  /// `user` outlives it.
  Pipes(boost::asio::io_context& context, PipeUser& user);

  /// Once. The error names what to change.
  Status listen(const SocketAddress& address, std::string path, PipeTls tls);
  /// For those who come from now on.
  void set_tls(PipeTls tls) { server_tls_ = std::move(tls); }
  /// Where it listens, with the port that the kernel chose.
  SocketAddress listening() const;

  void open(Via via, const WebSocketAddress& to);
  void close(Via via);
  bool has(Via via) const { return by_via_.contains(via); }
  /// False: dropped; of one that is not there, too.
  bool send(Via via, ByteView packet);
  /// Nobody is told anything any more.
  void stop();

 private:
  using Number = Pipe::Number;
  struct Known {
    std::optional<Via> via;  // none: a client's that is not open yet
    std::shared_ptr<Pipe> pipe;
    SocketAddress remote;
    bool accepted = false;
    WebSocketAddress to{};  // while its name is looked up
  };

  void await_client();
  void take(boost::asio::ip::tcp::socket client);
  std::optional<event::PipeRefusal> against(const IpAddress& source);
  void resolved(Number number, const Resolver::Answer& addresses);
  void forget(Number number);

  void pipe_opened(Number number, const SocketAddress& remote) override;
  void pipe_read(Number number, ByteView packet) override;
  void pipe_ended(Number number, const Pipe::Ending& ending) override;

  boost::asio::io_context& context_;
  PipeUser& user_;
  PipeTls client_tls_ = PipeTls::client();
  std::optional<PipeTls> server_tls_;
  std::optional<boost::asio::ip::tcp::acceptor> acceptor_;
  boost::asio::steady_timer pause_;
  std::string path_;
  std::uint64_t last_ = 0;
  std::map<Number, Known> pipes_;
  std::unordered_map<Via, Number> by_via_;
  std::unordered_map<IpAddress, std::size_t> sources_;
  std::size_t accepted_ = 0;
  TokenBucket handshakes_{kHandshakesPerSecond, kHandshakesBurst};
  Resolver resolver_;  // last: its threads deliver into what stands above
};

}  // namespace pw::io
