#include "sim/swarm/meeting_point.hpp"

namespace pw::sim {

MeetingPoint::MeetingPoint(World& world, const Topology& topology)
    : world_{world}, topology_{topology}, rng_{world.net.rng_for("meeting point")} {
  if (!rng_.chance(kShare)) return;
  const std::size_t hosts = world_.size();
  server_ = &world_.add("server");
  server_->keep_events = false;
  server_->options.services.peer = false;
  server_->options.services.server.bootstrap = true;
  server_->options.services.server.relay = true;
  server_->membership.serve_anybody = true;
  for (std::size_t i = 0; i < hosts; ++i) {
    client_.push_back(rng_.chance(kClients));
    if (client_[i]) world_.host(i).membership.servers = {server_->server_spec(true, true)};
  }
}

void MeetingPoint::start() {
  if (exists()) server_->start();
}

void MeetingPoint::live() {
  if (!exists()) return;
  if (server_->running() && !server_->frozen() && rng_.chance(0.03)) {
    server_->kill();
    start_at_ = world_.now() + rng_.up_to(15s);
  } else if (start_at_ && world_.now() >= *start_at_) {
    heal();
  }
}

void MeetingPoint::heal() {
  start_at_.reset();
  if (exists() && !server_->running()) server_->start();
}

bool MeetingPoint::joins(std::size_t a, std::size_t b) const {
  return serves(a) && serves(b) && topology_.goes_out(a) && topology_.goes_out(b);
}

}  // namespace pw::sim
