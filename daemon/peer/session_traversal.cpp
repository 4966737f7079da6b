// Sessions on their way to a direct path.
#include "peer/session.hpp"

namespace pw::peer {

void Session::whereabouts_changed(Instant now) {
  if (!traversal_) return;
  traversal_->whereabouts_changed(now);
  traverse(now);
}

/// After everything that may have changed a path, or what is known of the peer's addresses.
void Session::traverse(Instant now) {
  if (!active_ || !traversal_) return;
  traversal_->settle(now, {measurements_->direct(), measurements_->rtt()});
  while (const auto candidate = traversal_->poll_candidate()) measurements_->add_path(now, *candidate);
  while (const auto order = traversal_->poll_check(now)) measurements_->check(now, order->path, order->ttl);
  while (const auto message = traversal_->poll_message())
    if (!active_->send(*message)) traversal_->say_again(now);
}

}  // namespace pw::peer
