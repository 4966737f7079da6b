#include "io/node_pipes.hpp"

#include <algorithm>
#include <utility>

namespace pw::io {

NodePipes::NodePipes(boost::asio::io_context& context, mesh::Node& node, Turn turn, Trouble trouble)
    : node_{node}, turn_{std::move(turn)}, trouble_{std::move(trouble)}, pipes_{context, *this} {}

Result<SocketAddress> NodePipes::listen(const SocketAddress& address, std::string path, PipeTls tls) {
  if (const auto listens = pipes_.listen(address, std::move(path), std::move(tls)); !listens)
    return tl::unexpected{listens.error()};
  return pipes_.listening();
}

void NodePipes::push(Instant now, const Transmit& t) {
  const std::size_t step = t.segment_size == 0 ? t.bytes.size() : t.segment_size;
  std::uint64_t dropped = 0;
  for (std::size_t at = 0; at < t.bytes.size(); at += step)
    dropped += !pipes_.send(t.path.via, ByteView{t.bytes}.subspan(at, std::min(step, t.bytes.size() - at)));
  if (dropped > 0) node_.handle_event(now, event::QueueDropped{event::Queue::pipes, dropped});
}

Via NodePipes::pipe_accepted(const SocketAddress& from) {
  Via via = Via::own;
  turn_([&](Instant now) { via = node_.handle_pipe_accepted(now, from); });
  return via;
}

void NodePipes::pipe_opened(Via via, const Result<SocketAddress>& opened) {
  turn_([&](Instant now) { node_.handle_pipe(now, via, opened); });
}

void NodePipes::pipe_closed(Via via) {
  turn_([&](Instant now) { node_.handle_pipe_closed(now, via); });
}

void NodePipes::pipe_read(const PathAddress& from, ByteView packet) {
  turn_([&](Instant now) { node_.handle_datagram(now, now, from, packet); });
}

void NodePipes::pipe_refused(event::PipeRefusal reason, const SocketAddress& from) {
  turn_([&](Instant now) { node_.handle_event(now, event::PipeRefused{reason, from}); });
}

void NodePipes::pipe_trouble(const std::string& detail) {
  turn_([&](Instant now) { trouble_(now, detail); });
}

}  // namespace pw::io
