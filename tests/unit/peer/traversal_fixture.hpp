// A Traversal with what its session would tell it.
#pragma once

#include <string>
#include <vector>

#include "context.hpp"
#include "peer/traversal.hpp"

namespace pw::peer {

using Refusal = event::CandidateRefusal;

struct TraversalFixture : ContextFixture {
  TraversalFixture() {
    context.whereabouts.told = true;
    context.whereabouts.families = {true, true};
    context.whereabouts.revision = 1;
    context.whereabouts.message = listing({"198.51.100.1:9470"});
    context.whereabouts.around.own = {*IpAddress::parse("198.51.100.1")};
    context.whereabouts.around.gateways = {*IpAddress::parse("192.168.1.1")};
  }
  static wire::Candidates listing(const std::vector<std::string>& addresses) {
    wire::Candidates m;
    for (const std::string& a : addresses) m.candidates.push_back({1, *SocketAddress::parse(a), 1});
    return m;
  }
  std::vector<std::string> ordered() {
    std::vector<std::string> all;
    while (const auto path = traversal.poll_candidate()) all.push_back(path->remote.to_string());
    return all;
  }
  unsigned told() {
    unsigned n = 0;
    while (traversal.poll_message()) ++n;
    return n;
  }
  unsigned refused(Refusal why) {
    unsigned n = 0;
    for (const auto& record : out.events)
      if (const auto* e = std::get_if<event::CandidatesRefused>(&record.event); e && e->reason == why) n += e->count;
    return n;
  }
  void hear(const wire::Candidates& message, bool direct = false) {
    traversal.handle(now, message);
    settle(now, direct);
  }
  void settle(Instant at, bool direct) {
    traversal.settle(at, {direct ? std::optional{PathAddress{{}, *SocketAddress::parse("203.0.113.1:9470")}} : std::nullopt, 40ms});
  }
  /// Of one kind of event.
  template <class E>
  std::vector<E> all() {
    std::vector<E> found;
    for (const auto& record : out.events)
      if (const auto* e = std::get_if<E>(&record.event)) found.push_back(*e);
    return found;
  }
  PeerId peer{};  // the lowest: it begins rounds
  Traversal::Budget budget;
  Traversal traversal{context, peer, budget};
};

}  // namespace pw::peer
