#include "nat/behaviour_judge.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>

namespace pw::nat {
namespace {

using event::NatMapping;
using event::PortAllocation;

// Two samples of a counting NAT are nearer than this: a step of up to eight with thirty strangers' mappings in between.
// Two random ports are so with a probability below 1 %.
constexpr int kNear = 256;
// Of the differences, or of preserved ports, so many quarters must agree: one in four may be a wrap or taken by others.
constexpr std::size_t kQuarters = 3;

bool most(std::size_t some, std::size_t all) { return some * 4 >= all * kQuarters; }

struct Pairs {
  bool address_same = false;  // places of different addresses that saw the same …
  bool address_differs = false;
  bool port_same = false;     // … and of one address, by another port
  bool port_differs = false;
};

Pairs compare(const std::vector<Sight>& sights) {
  Pairs p;
  for (auto a = sights.begin(); a != sights.end(); ++a)
    for (auto b = a + 1; b != sights.end(); ++b) {
      if (a->place == b->place) continue;
      const bool same = a->mapped == b->mapped;
      if (a->place.ip != b->place.ip)
        (same ? p.address_same : p.address_differs) = true;
      else
        (same ? p.port_same : p.port_differs) = true;
    }
  return p;
}

bool contains(const std::vector<SocketAddress>& all, const SocketAddress& one) {
  return std::ranges::find(all, one) != all.end();
}

/// Some places of different addresses saw the same, others did not: no NAT does that. Each server has a vote, and of equal
/// votes that one counts which was seen at more addresses.
MappingVerdict by_votes(const std::vector<Sight>& sights, const std::vector<SocketAddress>& own) {
  std::map<std::size_t, std::set<SocketAddress>> seen;  // by each server
  for (const Sight& s : sights) seen[s.server].insert(s.mapped);
  struct Votes {
    std::set<std::size_t> servers;
    std::set<IpAddress> addresses;
  };
  std::map<SocketAddress, Votes> votes;
  for (const Sight& s : sights) {
    if (seen[s.server].size() > 1) continue;  // it says one thing and another
    votes[s.mapped].servers.insert(s.server);
    votes[s.mapped].addresses.insert(s.place.ip);
  }
  MappingVerdict v;
  v.agreement = 0;
  v.doubt = "mapping: the servers contradict one another";
  const auto winner = std::ranges::max_element(
      votes, {}, [](const auto& w) { return std::pair{w.second.servers.size(), w.second.addresses.size()}; });
  if (winner == votes.end() || winner->second.addresses.size() < 2) return v;
  v.agreement = static_cast<double>(winner->second.servers.size()) / static_cast<double>(seen.size());
  v.mapping = contains(own, winner->first) ? NatMapping::none : NatMapping::endpoint_independent;
  for (const auto& [server, mapped] : seen)
    if (!winner->second.servers.contains(server)) v.against.push_back(server);
  return v;
}

}  // namespace

MappingVerdict judge_mapping(const std::vector<Sight>& sights, const std::vector<SocketAddress>& own) {
  MappingVerdict v;
  if (sights.empty()) {
    v.doubt = "mapping: every server refused the question";
    return v;
  }
  if (std::ranges::all_of(sights, [&](const Sight& s) { return contains(own, s.mapped); })) {
    v.mapping = NatMapping::none;  // one place is enough to see that
    return v;
  }
  const Pairs pairs = compare(sights);
  const bool differs = pairs.address_differs || pairs.port_differs;
  if (pairs.address_same && differs) {
    v = by_votes(sights, own);
  } else if (pairs.port_same && pairs.port_differs) {
    v.agreement = 0;
    v.doubt = "mapping: the servers contradict one another";
  } else if (pairs.address_same) {
    v.mapping = NatMapping::endpoint_independent;
  } else if (pairs.port_differs) {
    v.mapping = NatMapping::address_and_port_dependent;
  } else if (pairs.address_differs) {
    v.mapping = NatMapping::address_dependent;
    v.at_least = !pairs.port_same;
    if (v.at_least) v.doubt = "mapping: whether it depends on the port too, as no server answered at two";
  } else {
    v.doubt = "mapping: only one address answered";
  }
  return v;
}

AllocationVerdict judge_allocation(const std::vector<PortSample>& samples) {
  AllocationVerdict v;
  const auto kept =
      std::ranges::count_if(samples, [](const PortSample& s) { return s.inner == s.outer.port; });
  if (samples.size() + 1 >= kFewestInOrder && most(static_cast<std::size_t>(kept), samples.size())) {
    v.allocation = PortAllocation::preserving;
    return v;
  }
  std::map<IpAddress, int> last;  // the addresses of a pool may count each for itself
  std::vector<int> differences;
  int step = 0;  // of all, also those that were made out of their order: multiples of it lie between any two
  for (const PortSample& s : samples) {
    const auto before = last.find(s.outer.ip);
    const int difference = before == last.end() ? 0 : s.outer.port - before->second;
    if (std::abs(difference) <= kNear) step = std::gcd(step, difference);
    if (!s.at_once) continue;
    if (before != last.end()) differences.push_back(difference);
    last[s.outer.ip] = s.outer.port;
  }
  if (differences.size() + 1 < kFewestInOrder) {
    v.doubt = last.size() > 1 ? "port allocation: the outer address changes too often for that"
                              : "port allocation: too few new mappings were answered at once";
    return v;
  }
  v.allocation = PortAllocation::random;
  for (const int direction : {1, -1}) {
    const auto agree = static_cast<std::size_t>(std::ranges::count_if(
        differences, [&](int d) { return d * direction > 0 && std::abs(d) <= kNear; }));
    if (agree + 1 < kFewestInOrder || !most(agree, differences.size())) continue;
    v.allocation = PortAllocation::sequential;
    v.step = step * direction;
  }
  return v;
}

}  // namespace pw::nat
