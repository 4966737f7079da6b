// How a random world has to end: everybody is connected to whom they should and can be, and to nobody else; every command
// has its answer, and whoever wants to measure can.
#include <algorithm>

#include "sim/swarm/random_world.hpp"

namespace pw::sim {
namespace {

constexpr Duration kGlance = 500ms;      // how often rest is looked for: a look costs as much as many packets
constexpr Duration kReportTakes = 1s;  // until the other end knows that it is over
constexpr Duration kLateRequest = 30s;  // and more than it holds a peer

}  // namespace

/// How `a` stands to `b`, by its own word, which must agree with its configuration.
RandomWorld::View RandomWorld::view(std::size_t a, std::size_t b) const {
  View v;
  v.denied = std::ranges::count(host(a).membership.deny, host(b).id()) != 0;
  const event::PeerSnapshot p = host(a).peer(host(b));
  v.held = p.held;
  v.listed = p.id == host(b).id() && p.method != event::DiscoveryMethod::inbound;
  v.dials = v.listed && !v.held && !v.denied && (meeting_point_.serves(a) || !p.addresses.empty());
  v.reaches =
      v.listed && std::ranges::any_of(p.addresses, [&](const HostPort& x) { return topology_.reaches(a, b, x); });
  return v;
}

/// Whether the dialler's current secret is one that the other knows.
bool RandomWorld::accepts(std::size_t acceptor, std::size_t dialler) const {
  return !secret_ || std::ranges::count(host(acceptor).membership.secrets, host(dialler).membership.secrets.front()) != 0;
}

std::string RandomWorld::judge_pair(std::size_t a, std::size_t b) const {
  const View here = view(a, b);
  const View there = view(b, a);
  const auto& peers = host(a).membership.peers;
  const bool configured = std::ranges::find(peers, host(b).id(), &event::PeerSpec::id) != peers.end();
  if (configured && !here.denied && !here.listed) return host(a).name() + " forgot a configured peer";
  const bool admitted = secret_ || (here.listed && there.listed);
  const bool welcome = admitted && !here.denied && !there.denied && !here.held && !there.held;
  const bool is = host(a).connected(host(b));
  if (is && !welcome) return host(a).name() + " is connected to " + host(b).name();
  const bool joined = meeting_point_.joins(a, b);
  if (is && !joined && !topology_.may_meet(a, b))
    return host(a).name() + " is connected to " + host(b).name() + ", whom nothing reaches";
  // Without an address that reaches, on either side, a session may last, but nobody can make it anew.
  // Who dials and is refused, again and again, makes mappings in a NAT that may take away the answers to the other.
  const bool dials = (here.reaches || (joined && here.listed)) && accepts(b, a) && (accepts(a, b) || !there.dials);
  const bool is_dialled = (there.reaches || (joined && there.listed)) && accepts(a, b) && (accepts(b, a) || !here.dials);
  if (!is && welcome && (dials || is_dialled))
    return host(a).name() + " is not connected to " + host(b).name() + ", whom " +
           (dials ? "it reaches" : "it does not reach, but who reaches it");
  return {};
}

/// Empty when everybody is connected to whom they should and can be, and to nobody else.
std::string RandomWorld::at_rest() const {
  for (std::size_t i = 0; i < nodes_; ++i) {
    std::size_t up = 0;
    std::size_t tried = 0;  // in vain, again and again
    for (std::size_t j = 0; j < nodes_; ++j) {
      if (i == j) continue;
      const bool is = host(i).connected(host(j));
      up += is;
      tried += !is && (view(i, j).dials || view(j, i).dials);
      if (auto wrong = judge_pair(i, j); !wrong.empty()) return wrong;
    }
    const auto connections = host(i).snapshot().connections;
    if (meeting_point_.serves(i)) tried = 2 * tried + 1;  // two ways at once, and the server
    if (connections < up || connections > up + tried)
      return host(i).name() + " has " + std::to_string(connections) + " connections for " + std::to_string(up) +
             " sessions and " + std::to_string(tried) + " dials in vain";
  }
  return {};
}

/// For how long somebody who can be reached is not dialled yet, by what failed while there were faults.
Duration RandomWorld::left_alone() const {
  Duration longest{};
  for (std::size_t i = 0; i < nodes_; ++i)
    for (std::size_t j = 0; j < nodes_; ++j) {
      if (i == j) continue;
      const View v = view(i, j);
      const auto next = host(i).peer(host(j)).breaker.next_attempt;
      if (next && (v.reaches || (v.listed && meeting_point_.joins(i, j))))
        longest = std::max(longest, *next - host(i).machine().now());
    }
  return longest;
}

bool RandomWorld::comes_to_rest(Duration limit) {
  const Instant end = world_.now() + limit;
  while (!at_rest().empty()) {
    if (world_.now() >= end) return false;
    world_.run_for(kGlance);
  }
  return true;
}

/// Whatever became of earlier measurements, everybody is free for one.
std::string RandomWorld::measure_at_rest() {
  for (std::size_t i = 0; i < nodes_; ++i)
    for (std::size_t j = 0; j < nodes_; ++j) {
      if (i == j || !host(i).connected(host(j))) continue;
      // A request of long ago may just have got through, and holds the peer for as long as a measurement lasts.
      const Instant patience = world_.now() + kLateRequest;
      std::string busy;
      do {
        const event::Ticket ticket = host(i).command(event::MeasureBandwidth{host(j).id(), 20'000, 1s});
        world_.run_until([&] { return host(i).answers.contains(ticket); }, 30s);
        const auto answer = host(i).answers.find(ticket);
        if (answer == host(i).answers.end()) return host(i).name() + ": a measurement has no end";
        // Where nothing reaches, a session that was left over may end meanwhile.
        busy = answer->second ? "" : answer->second.error().detail;
        if (busy.find("another") == std::string::npos) break;
        world_.run_for(kReportTakes);
      } while (world_.now() < patience);
      if (busy.find("another") != std::string::npos)
        return host(i).name() + " can't measure the way to " + host(j).name() + ": " + busy;
      world_.run_for(kReportTakes);
      break;
    }
  return {};
}

std::string RandomWorld::check_answers() const {
  for (std::size_t i = 0; i < nodes_; ++i) {
    if (host(i).unanswered() != 0) return host(i).name() + ": a command was never answered";
    if (host(i).answered_twice) return host(i).name() + ": a command was answered twice";
  }
  return {};
}

}  // namespace pw::sim
