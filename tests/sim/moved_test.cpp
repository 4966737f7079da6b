// A session is not its addresses: what a NAT changes under it moves its path, and nothing else.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "sim/checks.hpp"
#include "sim/inflict.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

/// One at home behind a NAT, which dials one outside.
struct Home {
  explicit Home(std::uint64_t seed)
      : w{seed},
        lan{w.net.add_segment("lan")},
        router{w.net.add_router(
            "home", {.nat = net::NatOptions{.ports = net::PortAllocation::random}, .firewall = {}, .port_mapper = {}})},
        inside{w.add("inside", w.net.add_machine("inside"))},
        outside{w.add("outside")},
        faults{w} {
    router.attach_outer(w.internet, {IpAddress::v4({11, 0, 1, 1})});
    router.attach_inner(lan, {IpAddress::v4({192, 168, 0, 1})});
    inside.machine().attach(lan, {IpAddress::v4({192, 168, 0, 2})});
    inside.membership.peers = {outside.spec()};
    outside.membership.peers = {{inside.id(), "inside", false, {}}};
    w.start_all();
  }
  bool up() const { return inside.connected(outside) && outside.connected(inside); }
  World w;
  net::Segment& lan;
  net::Router& router;
  Host& inside;
  Host& outside;
  Faults faults;
};

}  // namespace

TEST_CASE("a session outlives its NAT's mapping: the path moves within seconds, and the session does not end") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Home h{seed};
    if (!h.w.run_until([&] { return h.up(); }, 20s)) return "not connected";
    h.w.run_for(5s);
    const SocketAddress before = h.outside.peer(h.inside).paths.at(0).address.remote;
    h.faults.inflict(
        {.kind = FaultKind::nat_reboot, .host = 0, .other = {}, .router = &h.router, .amount = 0, .lasts = 1s});
    h.outside.events.clear();
    h.w.run_for(8s);
    const auto peer = h.outside.peer(h.inside);
    if (peer.path != event::PathKind::direct_v4) return "no path is in use";
    const auto used = std::ranges::find_if(peer.paths, [](const auto& p) { return p.in_use; });
    if (used->address.remote == before) return "the path did not move";
    if (used->size != event::PathSize::full) return "nobody looked whether large packets pass the new path";
    for (const Host* host : {&h.inside, &h.outside}) {
      if (host->count<event::SessionEnded>() != 0) return host->name() + " lost its session";
      if (!h.up()) return "the session is gone";
    }
    return broken_rule(h.w);
  });
}

TEST_CASE("what arrived over the old path or the new is not called lost, wherever the path goes") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Home h{seed};
    if (!h.w.run_until([&] { return h.up(); }, 20s)) return "not connected";
    h.w.run_for(20s);
    h.inside.events.clear();
    h.outside.events.clear();
    const std::uint64_t dropped_before = h.w.net.packets_dropped();
    // There and back: the address of before is its own again.
    h.faults.inflict({.kind = FaultKind::address_change, .host = 0, .other = {}, .router = {}, .amount = 0, .lasts = 4s});
    h.w.run_for(30s);
    if (h.outside.count<event::PathProved>() + h.inside.count<event::PathProved>() == 0) return "no path moved";
    std::uint32_t lost = 0;
    for (const Host* host : {&h.inside, &h.outside}) {
      std::uint32_t expected = 0;
      for (const auto& e : host->all<event::ProbesAccounted>()) {
        if (e.direction == event::ProbeDirection::forward) expected += e.expected;
        lost += e.lost;
      }
      if (expected < 20) return host->name() + " tells of " + std::to_string(expected) + " probes only";
    }
    if (lost > h.w.net.packets_dropped() - dropped_before)
      return std::to_string(lost) + " probes are called lost, which is more than all packets that were";
    return broken_rule(h.w);
  });
}
