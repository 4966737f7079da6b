// Whole daemons behind gateways that map ports: the mapping is made, told, kept, and given back at the end.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;
using event::MappingProtocol;
using event::MappingState;

namespace {

constexpr std::uint8_t kRouter = 1;
constexpr std::uint64_t kLong = 100;  // one world in so many lives for hours, which takes seconds
IpAddress inner(std::uint8_t n) { return IpAddress::v4({192, 168, 1, n}); }

net::NatOptions filtering() {
  net::NatOptions o;
  o.filtering = net::Dependence::address_and_port_dependent;
  return o;
}

struct Home {
  explicit Home(std::uint64_t seed, const net::PortMapperOptions& mapper)
      : w{seed},
        lan{w.net.add_segment("lan")},
        router{w.net.add_router("home", {.nat = filtering(), .firewall = {}, .port_mapper = mapper})},
        inside{w.add("inside", w.net.add_machine("inside"))},
        outside{w.add("outside")} {
    router.attach_outer(w.internet, {IpAddress::v4({11, 0, 1, 1})});
    router.attach_inner(lan, {inner(kRouter)});
    inside.machine().attach(lan, {inner(2)});
    inside.membership.peers = {outside.spec()};
    inside.nat.map_port = true;
    inside.gateway = inner(kRouter);
    outside.membership.peers = {{inside.id(), "inside", false, {}}};
    w.start_all();
  }
  event::PortMappingSnapshot mapping() const { return inside.snapshot().nat.mapping.value(); }
  World w;
  net::Segment& lan;
  net::Router& router;
  Host& inside;
  Host& outside;
};

net::PortMapperOptions speaks(bool pcp, bool nat_pmp) {
  net::PortMapperOptions o;
  o.pcp = pcp;
  o.nat_pmp = nat_pmp;
  return o;
}

}  // namespace

TEST_CASE("a daemon maps its port at its gateway by what that speaks, and calls it what it is: unverified") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    for (const bool pcp : {true, false}) {
      Home h{seed, speaks(pcp, true)};
      if (!h.w.run_until([&] { return h.mapping().mapped.has_value(); }, 60s)) return "nothing was mapped";
      const auto found = h.mapping();
      const auto protocol = pcp ? MappingProtocol::pcp : MappingProtocol::nat_pmp;
      if (found.mapped->protocol != protocol) return "by another protocol";
      if (found.mapped->external.ip != IpAddress::v4({11, 0, 1, 1})) return "another outer address";
      if (found.mapped->verified || found.protocols[static_cast<std::size_t>(protocol)].state != MappingState::unverified)
        return "nobody has tried it from outside";
      if (h.outside.snapshot().nat.mapping) return "who does not want a mapping tells of one";
      // Who does not know it reaches the node there, and it is still there hours later.
      h.w.run_for(seed % kLong == 1 ? Duration{5h} : Duration{1min});
      if (!h.mapping().mapped) return "the mapping was not kept";
      if (const auto wrong = broken_rule(h.w); !wrong.empty()) return wrong;
    }
    return {};
  });
}

TEST_CASE("a mapping that is not wanted any more, or whose daemon stops, is given back") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    for (const bool stops : {true, false}) {
      Home h{seed, speaks(true, true)};
      if (!h.w.run_until([&] { return h.mapping().mapped.has_value(); }, 60s)) return "nothing was mapped";
      const SocketAddress external = h.mapping().mapped->external;
      const auto mapped = [&] {  // whether a stranger gets in, which only a port mapping lets
        net::Packet packet;
        packet.source = {IpAddress::v4({11, 0, 9, 9}), 9};
        packet.destination = external;
        packet.payload = {1};
        return h.router.nat()->from_outside(h.w.now(), packet).way == net::NatBox::Way::in;
      };
      if (!mapped()) return "the gateway has no mapping";
      if (stops) {
        h.inside.shutdown();
      } else {
        h.inside.nat.map_port = false;
        h.inside.configure();
        if (h.inside.snapshot().nat.mapping) return "it is told although it is not wanted";
      }
      h.w.run_for(1s);
      if (mapped()) return "the gateway still has the mapping";
    }
    return {};
  });
}

TEST_CASE("a gateway that speaks none of it is told of as such, and no gateway at all too") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Home h{seed, speaks(false, false)};
    h.w.run_for(60s);
    const auto silent = h.mapping();
    if (silent.mapped || silent.gateway != inner(kRouter)) return "a silent gateway maps";
    for (const auto& protocol : silent.protocols)
      if (protocol.state != MappingState::unavailable || protocol.detail.empty()) return "nobody says why";
    h.inside.gateway.reset();
    h.inside.machine().set_addresses(*h.inside.machine().interfaces().front(), {inner(3)});
    h.w.run_for(1s);
    if (h.mapping().gateway) return "a gateway that is gone is told of";
    return broken_rule(h.w);
  });
}
