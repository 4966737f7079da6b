// Daemons that know bootstraps and no other STUN server find out by them what their NATs do, as far as that goes.
#include <catch2/catch_test_macros.hpp>

#include "sim/behaviour/discoverer.hpp"
#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;
using event::NatFiltering;
using event::NatMapping;
using event::NatState;

namespace {

constexpr std::uint16_t kOtherPort = 9471;

/// A daemon behind a router, and bootstraps outside.
struct Home {
  explicit Home(std::uint64_t seed, const net::NatOptions& nat)
      : w{seed},
        router{w.net.add_router("router", {.nat = nat, .firewall = {}, .port_mapper = {}})},
        lan{w.net.add_segment("lan")},
        inside{w.add("inside", w.net.add_machine("inside"))} {
    router.attach_outer(w.internet, {IpAddress::v4({11, 1, 0, 1})});
    router.attach_inner(lan, {IpAddress::v4({192, 168, 1, 1})});
    inside.machine().attach(lan, {IpAddress::v4({192, 168, 1, 2})});
  }
  /// At its first address; with a second one it names that to whoever asks.
  Host& add(const std::string& name, net::Segment& segment, const std::vector<IpAddress>& addresses) {
    Host& host = w.add(name, w.net.add_machine(name));
    host.machine().attach(segment, addresses);
    host.options.services.server.bootstrap = true;
    host.options.listening = {{addresses[0], Host::kPort}};
    if (addresses.size() > 1) host.options.services.stun_alternate = {{addresses[1], kOtherPort}};
    host.membership.peers = {{inside.id(), "inside", false, {}}};
    event::ServerSpec spec = host.server_spec(true, false);
    spec.addresses.resize(1);
    inside.membership.servers.push_back(std::move(spec));
    return host;
  }
  event::NatFamily v4() const { return inside.snapshot().nat.families.at(0); }
  bool measured() const { return v4().state == NatState::measured; }
  World w;
  net::Router& router;
  net::Segment& lan;
  Host& inside;
};

IpAddress outside(std::uint8_t n) { return IpAddress::v4({12, 0, 0, n}); }

bool says(const event::NatBehaviour& b, const std::string& why) {
  return std::ranges::find(b.not_tested, why) != b.not_tested.end();
}

}  // namespace

TEST_CASE("a bootstrap with a second address tells every NAT for what it is") {
  const auto nats = net::every_nat();
  for_every_seed([&](std::uint64_t seed) -> std::string {
    const net::NatOptions& nat = nats[seed % nats.size()];
    Home h{seed, nat};
    Host& server = h.add("bootstrap", h.w.internet, {outside(1), outside(2)});
    h.w.start_all();
    if (!h.w.run_until([&] { return h.measured(); }, 30s)) return "not measured in time";
    const auto wrong = net::differences(net::declared(nat, 1), h.v4().behaviour.value());
    if (!wrong.empty()) return wrong.front();
    const auto snapshot = h.inside.snapshot().nat;
    if (snapshot.bootstraps != std::vector{SocketAddress{outside(1), Host::kPort}}) return "who was asked is not told";
    const auto stun = server.snapshot().serving->stats;
    if (stun.of(event::StunResult::success) < 5 || stun.of(event::StunResult::unsupported) != 0)
      return "the bootstrap says that it was not asked";
    if (h.inside.snapshot().servers.at(0).state != event::ServerState::ready) return "it is not connected";
    return broken_rule(h.w);
  });
}

TEST_CASE("bootstraps with one address each tell mapping if there are two, and what could not be tested is said") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    net::NatOptions nat;
    const bool dependent = seed % 2 == 0;
    if (dependent) nat.mapping = net::Dependence::address_dependent;
    Home h{seed, nat};
    h.add("one", h.w.internet, {outside(1)});
    if (seed % 3 != 0) h.add("two", h.w.internet, {outside(2)});
    h.w.start_all();
    if (!h.w.run_until([&] { return h.measured(); }, 30s)) return "not measured in time";
    const auto found = h.v4().behaviour.value();
    if (found.filtering != NatFiltering::unknown || !says(found, "filtering: no server that answered has a second address"))
      return "filtering was not tested, and that is not said";
    if (seed % 3 == 0) {
      if (found.mapping != NatMapping::unknown || !says(found, "mapping: only one address answered"))
        return "one address can't tell mapping, and that is not said";
      return broken_rule(h.w);
    }
    if (found.mapping != (dependent ? NatMapping::address_dependent : NatMapping::endpoint_independent)) return "another mapping";
    if (found.mapping_at_least != dependent) return "one port each can't tell whether it depends on the port";
    return broken_rule(h.w);
  });
}

TEST_CASE("a bootstrap on this side of the NAT is not asked, and one whose name leads nowhere keeps the others from nothing") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Home h{seed, net::NatOptions{}};
    h.add("near", h.lan, {IpAddress::v4({192, 168, 1, 9}), IpAddress::v4({192, 168, 1, 10})});
    h.add("far", h.w.internet, {outside(1), outside(2)});
    h.inside.membership.servers.push_back({PeerId{}, "lost", true, false, {{"lost.example", Host::kPort}}});
    h.w.start_all();
    if (!h.w.run_until([&] { return h.measured(); }, 30s)) return "not measured in time";
    const auto wrong = net::differences(net::declared(net::NatOptions{}, 1), h.v4().behaviour.value());
    if (!wrong.empty()) return wrong.front();
    if (h.inside.snapshot().nat.bootstraps.size() != 1) return "others were asked, too";
    return broken_rule(h.w);
  });
}

TEST_CASE("names of bootstraps are looked up before anything is asked, and their addresses by turns are one server") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Home h{seed, net::NatOptions{}};
    h.add("named", h.w.internet, {outside(1), outside(2)});
    h.add("other", h.w.internet, {outside(3)});
    h.inside.membership.servers[0].addresses = {{"bootstrap.example", Host::kPort}};
    h.w.names.known["bootstrap.example"] = {outside(1)};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.measured(); }, 30s)) return "not measured in time";
    if (h.v4().behaviour->servers != 2) return "not both were asked at once";
    // It is lost, and its name leads to the same address and another one, which stands first.
    h.w.names.known["bootstrap.example"] = {outside(2), outside(1)};
    h.w.host(1).kill();
    h.w.run_for(60s);
    h.w.host(1).start();
    h.w.run_for(90s);
    if (h.inside.snapshot().servers.at(0).state != event::ServerState::ready) return "the bootstrap is not back";
    if (h.inside.snapshot().nat.bootstraps.at(0).ip != outside(1)) return "the server has moved, it says";
    if (h.inside.count<event::NatMeasured>() != 1 || !h.measured()) return "measured anew for a name's turns";
    return broken_rule(h.w);
  });
}

TEST_CASE("a name that could not be looked up is looked up soon after the network has changed") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Home h{seed, net::NatOptions{}};
    h.add("named", h.w.internet, {outside(1)});
    h.inside.membership.servers[0].addresses = {{"bootstrap.example", Host::kPort}};
    h.w.names.known["bootstrap.example"] = {outside(1)};
    h.w.names.up = false;
    h.w.start_all();
    h.w.run_for(10min);  // it waits for a minute by now
    const auto up = [&] { return h.inside.snapshot().servers.at(0).state == event::ServerState::ready; };
    if (up()) return "no name was needed";
    h.w.names.up = true;
    net::Machine& machine = h.inside.machine();
    machine.set_addresses(*machine.interfaces().front(), {IpAddress::v4({192, 168, 1, 3})});
    // A look-up under way gives up within five seconds, and another is not made sooner than five seconds after it began.
    if (!h.w.run_until(up, 12s)) return "it is not connected soon";
    return broken_rule(h.w);
  });
}

TEST_CASE("a bootstrap that a reload takes away is asked no more, and what it told is told no more") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Home h{seed, net::NatOptions{}};
    Host& server = h.add("bootstrap", h.w.internet, {outside(1), outside(2)});
    h.w.start_all();
    if (!h.w.run_until([&] { return h.measured(); }, 30s)) return "not measured in time";
    h.inside.membership.servers.clear();
    h.inside.configure();
    h.w.run_for(100ms);  // what is on its way
    const auto asked = server.snapshot().serving->stats.of(event::StunResult::success);
    h.w.run_for(10min);
    if (server.snapshot().serving->stats.of(event::StunResult::success) != asked) return "it goes on asking";
    if (h.v4().state != NatState::off || h.v4().behaviour) return "it tells of what nobody measures";
    return broken_rule(h.w);
  });
}
