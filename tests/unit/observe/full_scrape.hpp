// A scrape of a node on which everything that can happen has happened: every family that exists now, with every label.
#pragma once

#include "world.hpp"

namespace pw::test {

inline std::string full_scrape(observe::Exposition format) {
  auto o = options();
  o.max_labelled_peers = 2;
  o.tls_certificate_expiry = kWall;
  observe::Metrics metrics{o};
  const Instant now{100s};
  metrics.handle({now, event::PeerAdded{peer(1), event::DiscoveryMethod::configured}});
  for (const event::Event& e : one_of_each(peer(1)))
    if (!std::holds_alternative<event::PeerRemoved>(e)) metrics.handle({now, e});
  metrics.loop_lag(1ms);
  metrics.timer_error(1ms);
  metrics.socket_drops(1);
  metrics.http().request("/api/v1/peers/{id}", 200, 2ms);
  metrics.http().rejected(observe::HttpReject::malformed);
  auto relayed = connected(2, now);
  relayed.paths.push_back({});
  relayed.paths.back().kind = event::PathKind::relay_quic;
  relayed.paths.back().size = event::PathSize::full;
  auto node = node_at(now, {connected(1, now), relayed, connected(3, now)});
  node.servers = {server(1)};
  node.serving = event::ServingSnapshot{true, true, {}};
  return render(*metrics.snapshot(node, kWall), format);
}

}  // namespace pw::test
