// Pipe: one WebSocket over TLS (RFC 6455) that carries datagrams, one a binary message, from TCP to its end. On the thread
// of its io_context. Whoever is told may call anything, close() too.
//
//   client: TCP ─► TLS ─► upgrade ─► open          server: TLS ─► upgrade ─► open
//
// Opening and closing have a deadline, each buffer a bound. How long one that is open is of use its user knows. What can't
// be written soon is dropped: whoever sends QUIC repairs it, and a longer queue would only make it late.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/websocket_address.hpp"
#include "event/vocabulary.hpp"
#include "io/pipe_tls.hpp"

namespace pw::io {

class Pipe {
 public:
  /// Its user's name for it.
  enum class Number : std::uint64_t {};
  /// The largest packet of a connection to a service: quic::kServiceUdpPayload.
  static constexpr std::size_t kMaxMessage = 1232;
  /// 13 ms of what a relay's client may send by default. The kernel holds a little more, and what is under way.
  static constexpr std::size_t kMaxQueue = 32 << 10;
  static constexpr int kUnsentInKernel = 16 << 10;  // TCP_NOTSENT_LOWAT
  /// TCP, TLS and the upgrade together; the goodbye at the end.
  static constexpr Duration kOpening = 10s;
  /// Of an HTTP request: what a browser sends fits.
  static constexpr std::size_t kMaxRequest = 8 << 10;

  struct Ending {
    std::optional<event::PipeRefusal> refusal;  // of a server's: what the client did wrong
    std::string detail;
  };
  class User {
   public:
    virtual ~User() = default;
    /// Once, unless it ends before. `remote`: the other end.
    virtual void pipe_opened(Number pipe, const SocketAddress& remote) = 0;
    virtual void pipe_read(Number pipe, ByteView packet) = 0;
    /// The last; not after close().
    virtual void pipe_ended(Number pipe, const Ending& ending) = 0;
  };

  virtual ~Pipe() = default;
  /// False: dropped, because it is too large, too much waits, or it is not open.
  virtual bool send(ByteView packet) = 0;
  /// Says goodbye if it is open; nothing more is told.
  virtual void close() = 0;

  /// `user` outlives it, up to close() or its end.
  static std::shared_ptr<Pipe> connect(boost::asio::io_context& context, const PipeTls& tls, Number number,
                                       const std::vector<SocketAddress>& to, const WebSocketAddress& address, User& user);
  /// `path`: the only one that is served.
  static std::shared_ptr<Pipe> accept(boost::asio::ip::tcp::socket client, const PipeTls& tls, Number number,
                                      const SocketAddress& remote, std::string_view path, User& user);
};

}  // namespace pw::io
