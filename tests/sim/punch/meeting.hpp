// Meeting: two punching hosts behind NATs that are declared to both as they are, a STUN server, and others behind the
// same NATs whose flows take ports.
#pragma once

#include "sim/net/puncher.hpp"
#include "sim/net/strangers.hpp"
#include "sim/punch/punching_host.hpp"
#include "sim/stun/stun_server.hpp"

namespace pw::net {

/// What is in front of one host.
struct Front {
  Place place = Place::open;
  std::optional<Dependence> filtering = {};  // another one than the place has
  std::uint16_t first_port = 1024;
  std::uint16_t last_port = 65535;
  bool mapped = false;                  // its router maps a port for it
  bool input_accepts = false;
  double strangers = 0;                 // flows of others that begin in a second
};

struct MeetingConditions {
  double loss = 0;     // of packets each way
  Duration late{};     // from the first host's messages to the second, more than the relay's delay
  unsigned hops = 1;   // in the core
  double budget = 500;
  std::uint64_t seed = 1;
};

inline NatOptions nat_of(const Front& front) {
  NatOptions o = nat_at(front.place);
  if (front.filtering) o.filtering = *front.filtering;
  o.first_port = front.first_port;
  o.last_port = front.last_port;
  o.input_accepts = front.input_accepts;
  return o;
}

/// The truth, as behaviour discovery would say it.
inline event::NatBehaviour behaviour_of(const Front& front) {
  event::NatBehaviour b;
  if (front.place == Place::no_udp) {
    b.udp = event::Tested::no;
    return b;
  }
  b.udp = event::Tested::yes;
  if (front.place == Place::open) {
    b.mapping = event::NatMapping::none;
    b.filtering = event::NatFiltering::endpoint_independent;
    return b;
  }
  const NatOptions o = nat_of(front);
  b.mapping = static_cast<event::NatMapping>(static_cast<int>(o.mapping) + 2);
  b.filtering = static_cast<event::NatFiltering>(static_cast<int>(o.filtering) + 1);
  b.allocation = static_cast<event::PortAllocation>(static_cast<int>(o.ports) + 1);
  b.step = o.ports == PortAllocation::sequential ? o.step : 0;
  return b;
}

class Meeting {
 public:
  static constexpr Duration kDelay = 40ms;  // across the core, each way
  static constexpr Duration kRtt = 2 * kDelay;

  Meeting(const Front& a, const Front& b, const MeetingConditions& c)
      : fronts{a, b},
        conditions{c},
        net{c.seed},
        core{net.add_segment("core", Link{.delay = kDelay, .loss = c.loss}, c.hops)},
        server_{net.add_machine("stun")} {
    server_.attach(core, {ip("9.0.0.1")});
    stun.emplace(server_, Family::v4, StunServerOptions{.behaviour_discovery = false});
    for (std::size_t i = 0; i < 2; ++i) settle(i);
    meet();
  }
  /// Two in one segment behind that router, or each with a home router of its own in between.
  Meeting(const NatOptions& shared, bool nested, const MeetingConditions& c)
      : conditions{c},
        net{c.seed},
        core{net.add_segment("core", Link{.delay = kDelay, .loss = c.loss}, c.hops)},
        server_{net.add_machine("stun")} {
    server_.attach(core, {ip("9.0.0.1")});
    stun.emplace(server_, Family::v4, StunServerOptions{.behaviour_discovery = false});
    Router& router = net.add_router("router", {.nat = shared, .firewall = {}, .port_mapper = {}});
    Segment& inside = net.add_segment("inside");
    router.attach_outer(core, {ip("9.1.0.1")});
    router.attach_inner(inside, {ip("100.64.0.1")});
    const bool symmetric = shared.mapping != Dependence::endpoint_independent;
    for (std::size_t i = 0; i < 2; ++i) {
      const std::string n = std::to_string(i + 2);
      fronts[i].place = symmetric ? Place::random : Place::apdf;
      Segment* lan = &inside;
      if (nested) {
        Router& home = net.add_router("home " + n, {.nat = NatOptions{}, .firewall = {}, .port_mapper = {}});
        home.attach_outer(inside, {ip("100.64.0." + n)});
        lan = &net.add_segment("lan " + n);
        home.attach_inner(*lan, {ip("10.0." + n + ".1")});
      }
      hosts[i] = std::make_unique<PunchingHost>(net, *lan, "host " + n, ip(nested ? "10.0." + n + ".2" : "100.64.0." + n));
    }
    meet();
  }

  /// The round, begun by that host, until both have a path or a while after the longest round.
  void run(std::size_t initiator = 0, Duration within = 17s) {
    started = net.now() + kRtt / 2;
    hosts[initiator]->start();
    const Instant limit = net.now() + within;
    while (net.now() < limit && !(hosts[0]->proved && hosts[1]->proved)) net.run_until(net.now() + 50ms);
    net.run_until(net.now() + 1s);  // what is still under way, and the last messages
  }
  bool direct() const { return hosts[0]->proved && hosts[1]->proved; }
  /// From the common start to the later one's proof.
  Duration taken() const { return std::max(hosts[0]->proved_at, hosts[1]->proved_at) - started; }

  std::array<Front, 2> fronts;
  MeetingConditions conditions;
  Net net;
  Segment& core;
  std::optional<StunServer> stun;
  std::array<std::unique_ptr<PunchingHost>, 2> hosts;
  std::array<nat::Side, 2> sides;
  std::array<std::unique_ptr<Strangers>, 2> strangers;
  std::array<Router*, 2> routers{};
  Instant started{};

 private:
  void settle(std::size_t i) {
    const Front& front = fronts[i];
    const std::string n = std::to_string(i + 1);
    const std::string outer = "9." + n + ".0.1";
    if (front.place == Place::open) {
      hosts[i] = std::make_unique<PunchingHost>(net, core, "host " + n, ip(outer));
      return;
    }
    RouterOptions options;
    options.nat = nat_of(front);
    options.firewall.udp_blocked = front.place == Place::no_udp;
    routers[i] = &net.add_router("router " + n, options);
    routers[i]->attach_outer(core, {ip(outer)});
    Segment& lan = net.add_segment("lan " + n);
    const std::string inner = "10.0." + n + ".";
    if (front.place == Place::carrier) {
      Segment& inside = net.add_segment("carrier " + n);
      routers[i]->attach_inner(inside, {ip("100.64.0.1")});
      Router& home = net.add_router("home " + n, {.nat = NatOptions{}, .firewall = {}, .port_mapper = {}});
      home.attach_outer(inside, {ip("100.64.0.2")});
      home.attach_inner(lan, {ip(inner + "1")});
    } else {
      routers[i]->attach_inner(lan, {ip(inner + "1")});
    }
    hosts[i] = std::make_unique<PunchingHost>(net, lan, "host " + n, ip(inner + "2"));
    hosts[i]->around.gateways = {ip(inner + "1")};
    strangers[i] = std::make_unique<Strangers>(net, lan, "strangers " + n, inner + "77", ip("9.0.0.1"), front.strangers);
  }
  /// Both learn what they need, and make the plan.
  void meet() {
    for (auto& h : hosts) h->server = stun->primary();
    for (int tries = 0; tries < 5; ++tries) {
      for (auto& h : hosts)
        if (!h->outer) h->learn_outer();
      net.run_until(net.now() + 100ms);
    }
    for (std::size_t i = 0; i < 2; ++i) {
      PunchingHost& h = *hosts[i];
      nat::Side& side = sides[i];
      event::NatBehaviour& behaviour = side.behaviour[static_cast<std::size_t>(Family::v4)];
      behaviour = behaviour_of(fronts[i]);
      behaviour.mapped = h.outer;
      nat::CandidateList list;
      const auto add = [&](nat::CandidateKind kind, const SocketAddress& at) {
        list.add_own({kind, at, Via::own, nat::candidate_priority(kind, Family::v4)}, h.around);
      };
      add(nat::CandidateKind::host, h.address());
      if (h.outer && *h.outer != h.address()) add(nat::CandidateKind::server_reflexive, *h.outer);
      if (fronts[i].mapped) {
        const auto at = routers[i]->nat()->map(net.now(), h.address(), Protocol::udp, 20000, kNever);
        PW_CHECK(at);
        add(nat::CandidateKind::port_mapped, *at);
      }
      side.candidates = list.all();
    }
    sides[0].initiator = true;
    for (std::size_t i = 0; i < 2; ++i) {
      PunchingHost& h = *hosts[i];
      h.other = hosts[1 - i].get();
      h.relay_loss = conditions.loss;
      if (h.outer) h.around.mapped = {*h.outer};
      nat::CandidateList list;
      for (const nat::Candidate& c : sides[1 - i].candidates) list.add_theirs(c, h.around);
      h.task.theirs = list.all();
      h.task.plan = nat::plan(sides[i], sides[1 - i]);
      h.task.rtt = kRtt;
      h.task.step = sides[i].behaviour[static_cast<std::size_t>(Family::v4)].step;
      if (h.other->outer) h.task.observed = {h.other->outer->ip};
      h.task.servers = {stun->primary()};
      h.packets = TokenBucket{conditions.budget, 50};
    }
    hosts[0]->late = conditions.late;
  }
  Machine& server_;
};

}  // namespace pw::net
