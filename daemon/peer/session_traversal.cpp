// Sessions on their way to a direct path, and the further sockets that such a path may go by: kept for as long as it is
// known, or until the session has said goodbye.
#include "peer/session.hpp"

namespace pw::peer {

void Session::whereabouts_changed(Instant now) {
  if (!traversal_) return;
  traversal_->whereabouts_changed(now);
  traverse(now);
}

void Session::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  if (!traversal_) return;
  traversal_->handle_socket(now, via, bound);
  traverse(now);
}

bool Session::handle_stun(Instant now, const PathAddress& from, const wire::stun::Message& message) {
  if (!traversal_ || !traversal_->handle_stun(now, from, message)) return false;
  traverse(now);
  return true;
}

/// After everything that may have changed a path, or what is known of the peer's addresses.
void Session::traverse(Instant now) {
  if (!active_ || !traversal_) return;
  const auto direct = measurements_->direct();
  traversal_->settle(now, {direct ? std::optional{direct->address} : std::nullopt, measurements_->rtt(),
                           direct ? direct->last_proof : Instant{}});
  settle_sockets(now);
  while (const auto candidate = traversal_->poll_candidate()) measurements_->add_path(now, *candidate);
  while (auto packet = traversal_->poll_packet(now)) {
    if (const auto* order = std::get_if<nat::Order>(&*packet))
      measurements_->check(now, order->path, order->ttl);
    else
      context_.out.checks.push_back({std::nullopt, std::get<Transmit>(std::move(*packet))});
  }
  while (const auto message = traversal_->poll_message())
    if (!active_->send(*message)) traversal_->say_again(now);
  settle_sockets(now);
}

void Session::settle_sockets(Instant now) {
  while (const auto won = traversal_->poll_won()) sockets_.push_back(*won);
  while (const auto closed = traversal_->poll_closed()) measurements_->close_socket(now, *closed);
  std::erase_if(sockets_, [&](Via via) {
    if (measurements_->uses(via)) return false;
    context_.close_socket(via);
    return true;
  });
}

void Session::release_sockets() {
  for (const Via via : std::exchange(sockets_, {})) context_.close_socket(via);
}

}  // namespace pw::peer
