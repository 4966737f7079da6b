// Services that are reached through pipes, or serve by them: docs/adr/0011.
#include "mesh/services.hpp"

namespace pw::mesh {

// ---- what comes of pipes

void Services::handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened) {
  if (!opened) pipes_.closed(via);
  // Who asked for it may have lost interest meanwhile.
  if (!clients_.handle_pipe(now, via, opened) && pipes_.closes(via))
    context_.out.requests.emplace_back(event::ClosePipe{via});
}

void Services::handle_pipe_closed(Instant now, Via via) {
  pipes_.closed(via);
  if (!clients_.handle_pipe_closed(now, via) && server_) server_->handle_pipe_closed(now, via);
}

/// A peer that came by a pipe would be told, and measured, as one that is reached directly.
bool Services::refuse_peer(Instant now, const quic::Established& e) {
  if (e.protocol != quic::Protocol::peer || !pipes_.has(e.path.via)) return false;
  context_.endpoint.close(now, e.connection, static_cast<std::uint64_t>(service::CloseCode::not_offered),
                          "only services are reached by WebSocket");
  context_.out.emit(now, event::PacketRejected{event::RejectReason::unknown_protocol, e.path.remote});
  return true;
}

void Services::close_unused_pipes(Instant now) {
  for (const auto& [via, from] : pipes_.unused(now, [this](Via v) { return server_ && server_->serves(v); })) {
    on(now, event::ClosePipe{via});
    context_.out.emit(now, event::PipeRefused{event::PipeRefusal::unused, from});
  }
}

// ---- what clients want of them, and ways that changed

void Services::on(Instant, const event::OpenPipe& e) {
  pipes_.opens(e.via);
  context_.out.requests.emplace_back(e);
}

void Services::on(Instant, const event::ClosePipe& e) {
  if (pipes_.closes(e.via)) context_.out.requests.emplace_back(e);
}

void Services::on(Instant now, const service::ServiceMoved& e) {
  if (Site* site = find(e.server)) site->observed = e.observed;
  ++revision_;
  context_.out.emit(now, event::ServiceMoved{e.server, e.to});
}

void Services::on(Instant now, const service::ChannelMoved& e) {
  if (e.to == event::Transport::websocket)
    context_.by_websocket.insert(e.via);
  else
    context_.by_websocket.erase(e.via);
  rendezvous_.handle(now, e);
}

}  // namespace pw::mesh
