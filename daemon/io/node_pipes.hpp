// NodePipes: the pipes of a node that runs. What they tell goes into it, in turns of the driver; what it asks of them, and its
// packets for them, come here. On the network thread.
#pragma once

#include <functional>

#include "event/request.hpp"
#include "io/pipes.hpp"
#include "mesh/node.hpp"

namespace pw::io {

class NodePipes : private PipeUser {
 public:
  /// Does it within a turn of the driver; not at all once that has ended.
  using Turn = std::function<void(const std::function<void(Instant)>&)>;
  /// Something of this machine's that is to be told, within a turn.
  using Trouble = std::function<void(Instant, const std::string&)>;

  /// `node` outlives it.
  NodePipes(boost::asio::io_context& context, mesh::Node& node, Turn turn, Trouble trouble);

  /// Clients may come there. Where that is, with the port that the kernel chose.
  Result<SocketAddress> listen(const SocketAddress& address, std::string path, PipeTls tls);
  void set_tls(PipeTls tls) { pipes_.set_tls(std::move(tls)); }

  void serve(const event::OpenPipe& asked) { pipes_.open(asked.via, asked.to); }
  void serve(const event::ClosePipe& asked) { pipes_.close(asked.via); }
  bool has(Via via) const { return pipes_.has(via); }
  /// What finds no room is lost, and told.
  void push(Instant now, const Transmit& transmit);
  void stop() { pipes_.stop(); }

 private:
  Via pipe_accepted(const SocketAddress& from) override;
  void pipe_opened(Via via, const Result<SocketAddress>& opened) override;
  void pipe_closed(Via via) override;
  void pipe_read(const PathAddress& from, ByteView packet) override;
  void pipe_refused(event::PipeRefusal reason, const SocketAddress& from) override;
  void pipe_trouble(const std::string& detail) override;

  mesh::Node& node_;
  Turn turn_;
  Trouble trouble_;
  Pipes pipes_;
};

}  // namespace pw::io
