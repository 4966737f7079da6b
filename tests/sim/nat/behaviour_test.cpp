// Whole daemons behind NATs of several kinds say the truth about them, and say it anew when it changes.
#include <catch2/catch_test_macros.hpp>

#include "sim/behaviour/discoverer.hpp"
#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;
using event::NatState;

namespace {

constexpr std::uint64_t kLong = 100;  // one world in so many lives for hours, which takes seconds

IpAddress server_ip(std::uint8_t n) { return IpAddress::v4({12, 0, 0, n}); }

/// A STUN server on the internet, and daemons: one outside, the others each behind a router of its own.
struct Places {
  explicit Places(std::uint64_t seed, const std::vector<net::RouterOptions>& routers) : w{seed} {
    net::Machine& machine = w.net.add_machine("stun");
    machine.attach(w.internet, {server_ip(1), server_ip(2)});
    server = std::make_unique<net::StunServer>(machine, Family::v4);
    w.names.known["stun.example"] = {server_ip(1), server_ip(2)};  // the first is taken, and it names the second
    outside = &w.add("outside");
    for (std::size_t i = 0; i < routers.size(); ++i) add(static_cast<std::uint8_t>(i + 1), routers[i]);
    for (std::size_t i = 0; i < w.size(); ++i) w.host(i).nat.stun_servers = {{"stun.example", 3478}};
    for (Host* host : inside) {
      host->membership.peers = {outside->spec()};
      outside->membership.peers.push_back({host->id(), host->name(), false, {}});
    }
  }
  void add(std::uint8_t n, const net::RouterOptions& options) {
    const std::string name = "home " + std::to_string(n);
    net::Segment& lan = w.net.add_segment(name);
    net::Router& router = w.net.add_router(name, options);
    router.attach_outer(w.internet, {IpAddress::v4({11, 1, 0, n})});
    router.attach_inner(lan, {IpAddress::v4({192, 168, n, 1})});
    net::Machine& machine = w.net.add_machine("machine " + std::to_string(n));
    machine.attach(lan, {IpAddress::v4({192, 168, n, 2})});
    inside.push_back(&w.add("inside " + std::to_string(n), machine));
  }
  static event::NatFamily v4(const Host& host) { return host.snapshot().nat.families.at(0); }
  bool all_measured() const {
    for (std::size_t i = 0; i < w.size(); ++i)
      if (v4(w.host(i)).state != NatState::measured) return false;
    return true;
  }
  World w;
  std::unique_ptr<net::StunServer> server;
  Host* outside = nullptr;
  std::vector<Host*> inside;
};

net::RouterOptions behind(const net::NatOptions& nat) { return {.nat = nat, .firewall = {}, .port_mapper = {}}; }

std::vector<net::RouterOptions> some_nats() {
  using enum net::Dependence;
  net::NatOptions cone;
  cone.filtering = endpoint_independent;
  net::NatOptions restricted;
  restricted.filtering = address_and_port_dependent;
  restricted.hairpin = net::Hairpin::external_source;
  net::NatOptions symmetric;
  symmetric.mapping = symmetric.filtering = address_and_port_dependent;
  symmetric.ports = net::PortAllocation::random;
  net::NatOptions sequential = symmetric;
  sequential.ports = net::PortAllocation::sequential;
  sequential.step = 2;
  return {behind(cone), behind(restricted), behind(symmetric), behind(sequential)};
}

}  // namespace

TEST_CASE("daemons behind NATs of every kind say what those do, while their sessions go on") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    const auto routers = some_nats();
    Places p{seed, routers};
    p.w.start_all();
    if (!p.w.run_until([&] { return p.all_measured(); }, 30s)) return "not measured in time";
    for (std::size_t i = 0; i < p.inside.size(); ++i) {
      const auto found = p.v4(*p.inside[i]).behaviour.value();
      const auto wrong = net::differences(net::declared(*routers[i].nat, 1), found);
      if (!wrong.empty()) return p.inside[i]->name() + ": " + wrong.front();
      if (found.mapped->ip != IpAddress::v4({11, 1, 0, static_cast<std::uint8_t>(i + 1)})) return "mapped elsewhere";
      if (p.inside[i]->count<event::NatMeasured>() != 1) return "not told once";
    }
    const auto none = net::differences(net::declared_public(), p.v4(*p.outside).behaviour.value());
    if (!none.empty()) return "outside: " + none.front();
    if (p.outside->snapshot().nat.families.at(1).state != NatState::no_address) return "no IPv6 address, but measured";
    p.w.run_for(20s);
    for (const Host* host : p.inside)
      if (!host->connected(*p.outside)) return host->name() + " is not connected";
    return broken_rule(p.w);
  });
}

TEST_CASE("what a NAT does is told anew when the machine moves to another, and nothing old is told meanwhile") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Places p{seed, some_nats()};
    p.w.start_all();
    if (!p.w.run_until([&] { return p.all_measured(); }, 30s)) return "not measured in time";
    Host& host = *p.inside[0];
    net::Machine& machine = host.machine();
    machine.detach(*machine.interfaces().front());
    machine.attach(p.inside[2]->machine().interfaces().front()->segment, {IpAddress::v4({192, 168, 3, 3})});
    p.w.run_for(1ms);
    if (p.v4(host).behaviour) return "the old place's NAT is told of in the new one";
    if (!p.w.run_until([&] { return p.v4(host).state == NatState::measured; }, 30s)) return "not measured anew";
    if (p.v4(host).behaviour->mapping != event::NatMapping::address_and_port_dependent) return "the old mapping is told";
    if (host.count<event::NatMeasured>() != 2) return "not told";
    // The same again is no news, but it is measured.
    const Instant before = p.v4(host).behaviour->measured;
    if (seed % kLong != 1) return broken_rule(p.w);
    p.w.run_for(65min);
    if (p.v4(host).behaviour->measured <= before) return "not measured again within an hour";
    return host.count<event::NatMeasured>() == 2 ? broken_rule(p.w) : "told again though nothing changed";
  });
}

TEST_CASE("UDP that is blocked is told; servers whose names can't be looked up are asked later") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    net::RouterOptions blocked{.nat = net::NatOptions{}, .firewall = {}, .port_mapper = {}};
    blocked.firewall.udp_blocked = true;
    Places p{seed, {blocked}};
    p.w.names.up = false;
    p.w.start_all();
    p.w.run_for(20s);
    const auto nat = p.outside->snapshot().nat;
    if (nat.unresolved.size() != 1 || p.v4(*p.outside).state != NatState::no_server) return "nobody says what is missing";
    p.w.names.up = true;
    if (!p.w.run_until([&] { return p.all_measured(); }, 120s)) return "not measured in time";
    if (p.v4(*p.inside[0]).behaviour->udp != event::Tested::no) return "UDP is blocked, and that is not told";
    if (p.v4(*p.outside).behaviour->udp != event::Tested::yes) return "UDP is not blocked outside";
    return broken_rule(p.w);
  });
}

TEST_CASE("servers that a reload takes away are asked no more, and what they found is told no more") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Places p{seed, {}};
    p.w.start_all();
    p.w.run_for(30ms);  // in the middle of it
    p.outside->nat.stun_servers.clear();
    p.outside->configure();
    p.w.run_for(10ms);  // what is on its way
    const auto answered = p.server->answered();
    p.w.run_for(10s);
    if (p.server->answered() != answered) return "it goes on asking";
    if (p.v4(*p.outside).state != NatState::off || p.v4(*p.outside).behaviour) return "it tells of what nobody measures";
    return broken_rule(p.w);
  });
}
