#include "sim/check/traversals.hpp"

#include <algorithm>

#include "sim/world.hpp"

namespace pw::sim {

using event::PathHealth;
using event::TraversalFailure;
using event::TraversalResult;

void Traversals::started(Instant, const Host& host) { open_[host.index()].clear(); }
void Traversals::died(Instant, const Host& host) { open_[host.index()].clear(); }

void Traversals::recorded(Instant at, const Host& host, const event::Record& record) {
  auto& open = open_[host.index()];
  const auto wrong = [&](const PeerId& peer, const std::string& what) {
    complain(host.name() + at_text(at) + what + " (with " + peer.to_short() + ")");
  };
  if (const auto* e = std::get_if<event::TraversalStarted>(&record.event)) {
    if (!open.emplace(e->peer, at).second) return wrong(e->peer, "an attempt at a direct path starts in another");
    if (!ground_.relation(host, e->peer).connected_since) wrong(e->peer, "an attempt at a direct path without a session");
  } else if (const auto* end = std::get_if<event::TraversalEnded>(&record.event)) {
    if (open.erase(end->peer) == 0) return wrong(end->peer, "an attempt at a direct path ends that was not started");
    if ((end->result == TraversalResult::failure) != (end->failure != TraversalFailure::none))
      return wrong(end->peer, "a result that is not what its failure says");
    const auto& paths = ground_.relation(host, end->peer).paths;
    const bool direct = std::ranges::any_of(
        paths, [](const auto& p) { return !p.first.relayed() && p.second.health != PathHealth::dead; });
    if (end->result == TraversalResult::success && !direct) wrong(end->peer, "success, and there is no direct path");
    if (end->failure == TraversalFailure::timeout && direct) wrong(end->peer, "failure, and there is a direct path");
  }
}

void Traversals::look(const World& world) {
  for (const auto& [index, open] : open_) {
    const Host& host = world.host(index);
    if (!host.running()) continue;
    for (const auto& [peer, since] : open)
      if (world.now() - since - ground_.paused(host.machine().index(), since, world.now()) > kMost)
        complain(host.name() + at_text(world.now()) + "an attempt at a direct path does not end (with " + peer.to_short() + ")");
  }
}

}  // namespace pw::sim
