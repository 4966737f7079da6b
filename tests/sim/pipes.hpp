// Pipes: WebSockets over TLS as daemon/io has them, over a machine's streams: the round trips of TCP, TLS 1.3 and the
// upgrade, then datagrams, each with its length in front. What is behind is lost and told, as there.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "base/websocket_address.hpp"
#include "sim/net/streams.hpp"

namespace pw::sim {

/// Whose they are. Called by Net::step alone.
class PipeOwner {
 public:
  virtual ~PipeOwner() = default;
  virtual Via pipe_accepted(Instant now, const SocketAddress& from) = 0;
  virtual void pipe_opened(Instant now, Via via, const Result<SocketAddress>& opened) = 0;
  virtual void pipe_closed(Instant now, Via via) = 0;
  virtual void pipe_read(Instant now, const PathAddress& from, ByteView packet) = 0;
};

class Pipes : public net::StreamUser {
 public:
  static constexpr std::uint16_t kPort = 443;
  static constexpr Duration kOpening = 10s;
  static constexpr std::size_t kQueue = 32 << 10;      // bytes that wait for the stream
  static constexpr std::size_t kSendBuffer = 32 << 10; // the kernel's

  Pipes(net::Machine& machine, PipeOwner& owner, Rng rng);
  void listen() { streams_.listen(kPort); }
  /// `to`: nothing, and the name leads nowhere. Not sooner than `at`.
  void open(Instant at, Via via, const std::optional<SocketAddress>& to);
  void close(Via via);
  bool has(Via via) const { return by_via_.contains(via); }
  /// What came by one that is open, of those that others opened.
  struct Brought {
    Instant since{};
    bool connected = false;  // a packet of QUIC whose sender was done with its handshake
  };
  std::optional<Brought> brought_from(const SocketAddress& remote) const;
  /// How many others have open here.
  std::size_t accepted() const;
  /// False: there was no room.
  bool send(Via via, ByteView packet);
  /// The process dies.
  void abort_all() { streams_.abort_all(); }

  void handle_stream(Instant now, net::StreamId id, net::StreamEvent event) override;
  void handle_timeout(Instant now);
  Instant poll_timeout() const;

 private:
  enum class Stage : std::uint8_t { tls, upgrade, open };
  struct Pipe {
    Via via = Via::own;
    bool ours = false;  // opened here
    SocketAddress remote;
    Stage stage = Stage::tls;
    Buffer in;
    std::deque<Buffer> out;
    std::size_t waiting = 0;  // bytes in `out`
    Brought brought{};
    Instant deadline = kNever;
  };
  struct Waiting {
    Instant at;
    Via via;
    std::optional<SocketAddress> to;
  };
  using At = std::map<net::StreamId, Pipe>::iterator;

  void begin(Instant now, const Waiting& opening);
  void read(Instant now, net::StreamId id);
  void take(Instant now, net::StreamId id, Pipe& pipe, const Buffer& message);
  void opened(Instant now, Pipe& pipe);
  void say(net::StreamId id, Pipe& pipe, ByteView message);
  void flush(net::StreamId id, Pipe& pipe);
  void over(Instant now, At at, std::string why);

  PipeOwner& owner_;
  net::Streams streams_;
  std::map<net::StreamId, Pipe> pipes_;
  std::map<Via, net::StreamId> by_via_;  // open, or on their way
  std::deque<Waiting> waiting_;          // for their names
};

}  // namespace pw::sim
