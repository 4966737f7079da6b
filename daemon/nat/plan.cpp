#include "nat/plan.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "nat/port_mapping_wire.hpp"

namespace pw::nat {
namespace {

using event::NatFiltering;
using event::NatMapping;
using event::PortAllocation;
using event::Tested;

/// One side, one family, as far as the plan asks.
struct View {
  View(const Side& side, Family family)
      : behaviour{side.behaviour[static_cast<std::size_t>(family)]}, initiator{side.initiator} {
    for (const Candidate& c : side.candidates) {
      if (c.address.ip.family() != family || c.kind == CandidateKind::relayed) continue;
      any = true;
      if (c.kind == CandidateKind::port_mapped) mapped = true;
      if (c.kind == CandidateKind::host) hosts.push_back(c.address.ip);
    }
  }
  bool hard() const {
    return behaviour.mapping == NatMapping::address_dependent ||
           behaviour.mapping == NatMapping::address_and_port_dependent;
  }
  bool one_port_an_address() const {
    return behaviour.mapping == NatMapping::address_dependent && !behaviour.mapping_at_least;
  }
  bool predictable() const { return behaviour.allocation == PortAllocation::sequential && behaviour.step != 0; }
  /// Not measured: taken for the worst, since plain checks go along with what is tried then.
  bool admits_any_port() const {
    return behaviour.filtering == NatFiltering::endpoint_independent ||
           behaviour.filtering == NatFiltering::address_dependent;
  }

  const event::NatBehaviour& behaviour;
  bool initiator;
  bool any = false;
  bool mapped = false;
  std::vector<IpAddress> hosts;
};

/// Of one LAN, by the looks: no prefix lengths are exchanged. A wrong yes costs a few checks.
bool near_by(const IpAddress& a, const IpAddress& b) {
  const std::size_t prefix = a.family() == Family::v4 ? 3 : 8;
  return std::ranges::equal(a.bytes().first(prefix), b.bytes().first(prefix));
}

bool same_nat(const View& a, const View& b) {
  return a.behaviour.mapped && b.behaviour.mapped && a.behaviour.mapped->ip == b.behaviour.mapped->ip;
}

bool neighbours(const View& a, const View& b) {
  return same_nat(a, b) || std::ranges::any_of(a.hosts, [&](const IpAddress& x) {
    return std::ranges::any_of(b.hosts, [&](const IpAddress& y) { return near_by(x, y); });
  });
}

FamilyPlan both_hard(const View& a, const View& b, Plain near) {
  if (same_nat(a, b)) return {.method = Method::punch, .why = Why::same_nat, .plain = Plain::hosts};
  if (a.predictable() && b.predictable())
    return {.method = Method::prediction, .why = Why::predictable, .local = Role::hard, .remote = Role::hard, .plain = near};
  // RFC 8445 section 7.2.5.2.1: an answer has to come from where the question went. So the sockets must stand where one port
  // serves all ports of the other address, and where any port of it is let in.
  const bool a_can = a.one_port_an_address() && a.admits_any_port();
  const bool b_can = b.one_port_an_address() && b.admits_any_port();
  if (!a_can && !b_can) return {.why = Why::infeasible, .plain = near};
  const bool a_is_hard = a_can && (!b_can || a.initiator);
  return {.method = Method::birthday,
          .why = Why::search,
          .local = a_is_hard ? Role::hard : Role::easy,
          .remote = a_is_hard ? Role::easy : Role::hard,
          .plain = near};
}

FamilyPlan by_nats(const View& a, const View& b) {
  if (!a.any || !b.any) return {};
  const Plain near = neighbours(a, b) ? Plain::hosts : Plain::none;
  if (a.behaviour.udp == Tested::no || b.behaviour.udp == Tested::no) return {.why = Why::udp_blocked, .plain = near};
  if (a.mapped || b.mapped) {
    // Of two that would wait, the one that initiates does not: its packets come in by the other's mapping from wherever.
    const bool a_inbound = a.mapped && a.hard();
    const bool b_inbound = b.mapped && b.hard();
    return {.method = Method::punch,
            .why = Why::port_mapping,
            .plain = Plain::all,
            .local_waits = a_inbound && !(b_inbound && a.initiator),
            .remote_waits = b_inbound && !(a_inbound && b.initiator)};
  }
  if (a.behaviour.mapping == NatMapping::unknown || b.behaviour.mapping == NatMapping::unknown)
    return {.method = Method::punch, .why = Why::unknown_behaviour, .plain = Plain::all};
  if (a.hard() && b.hard()) return both_hard(a, b, near);
  if (!a.hard() && !b.hard()) return {.method = Method::punch, .why = Why::easy, .plain = Plain::all};
  const View& easy = a.hard() ? b : a;
  const View& hard = a.hard() ? a : b;
  if (easy.admits_any_port()) return {.method = Method::punch, .why = Why::open_filter, .plain = Plain::all};
  return {.method = hard.predictable() ? Method::prediction : Method::birthday,
          .why = hard.predictable() ? Why::predictable : Why::search,
          .local = a.hard() ? Role::hard : Role::easy,
          .remote = a.hard() ? Role::easy : Role::hard,
          .plain = Plain::all};
}

/// What only one end speaks is not tried.
FamilyPlan plan_family(const Side& local, const Side& remote, Family family) {
  const FamilyPlan best = by_nats(View{local, family}, View{remote, family});
  const bool spoken = best.method == Method::prediction ? local.predicts && remote.predicts
                      : best.method == Method::birthday ? local.searches && remote.searches
                                                        : true;
  return spoken ? best : FamilyPlan{.why = Why::unsupported, .plain = best.plain};
}

}  // namespace

std::string_view describe(Why why) {
  switch (why) {
    case Why::easy: return "both ends keep one outer address for all remotes";
    case Why::open_filter: return "one end lets any port of an address in that it sent to";
    case Why::port_mapping: return "a router maps a port for one end";
    case Why::unknown_behaviour: return "what the NAT of one end does is not known: plain punching is tried";
    case Why::predictable: return "ports come in steps, so the next one can be predicted";
    case Why::search: return "one end's ports are random: several sockets there, random probes from the other end";
    case Why::same_nat: return "both are behind the same NAT, and may meet at their inner addresses";
    case Why::no_candidates: return "the ends have no addresses of one family";
    case Why::udp_blocked: return "UDP is blocked at one end";
    case Why::unsupported: return "one end does not speak what these two NATs need";
    case Why::infeasible: return "both ends get another port for each remote and admit that remote's port only";
  }
  return "";
}

Plan Plan::mirrored() const {
  Plan m = *this;
  for (FamilyPlan& f : m.families) {
    std::swap(f.local, f.remote);
    std::swap(f.local_waits, f.remote_waits);
  }
  return m;
}

Plan plan(const Side& local, const Side& remote, unsigned round) {
  Plan made;
  std::vector<Family> order;
  for (const Family f : {Family::v6, Family::v4}) {
    made.families[static_cast<std::size_t>(f)] = plan_family(local, remote, f);
    order.push_back(f);
  }
  const auto of = [&](Family f) -> const FamilyPlan& { return made.families[static_cast<std::size_t>(f)]; };
  std::ranges::stable_sort(order, {}, [&](Family f) { return of(f).method; });
  const auto usable =
      static_cast<std::size_t>(std::ranges::count_if(order, [&](Family f) { return of(f).method != Method::none; }));
  if (usable > 0) {
    made.family = order[round % usable];
  } else {
    // Nothing goes: the family that says more about why.
    made.family = of(Family::v4).why == Why::no_candidates ? Family::v6 : Family::v4;
  }
  return made;
}

bool likely_open(const Candidate& theirs, const Side& local, const Side& remote) {
  if (theirs.kind == CandidateKind::port_mapped) return true;
  if (theirs.kind != CandidateKind::host) return false;
  const IpAddress& ip = theirs.address.ip;
  if (is_public(ip)) return true;
  const View here{local, ip.family()};
  return same_nat(here, View{remote, ip.family()}) ||
         std::ranges::any_of(here.hosts, [&](const IpAddress& own) { return near_by(own, ip); });
}

}  // namespace pw::nat
