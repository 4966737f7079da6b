// The simulated internet's NATs and firewalls, judged from outside: what RFC 5780's procedure finds is what was declared.
#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "sim/net/net.hpp"
#include "sim/stun/declared.hpp"
#include "sim/stun/stun_server.hpp"

using namespace pw;
using namespace pw::net;

namespace {

constexpr Dependence kDependences[] = {Dependence::endpoint_independent, Dependence::address_dependent,
                                       Dependence::address_and_port_dependent};
struct Allocator {
  PortAllocation ports;
  int step;
};
constexpr Allocator kAllocators[] = {{PortAllocation::preserving, 1},
                                     {PortAllocation::sequential, 1},
                                     {PortAllocation::sequential, -2},
                                     {PortAllocation::sequential, 7},
                                     {PortAllocation::random, 1}};

std::vector<IpAddress> ips(std::initializer_list<const char*> texts) {
  std::vector<IpAddress> out;
  for (const char* text : texts) out.push_back(IpAddress::parse(text).value());
  return out;
}

NatOptions nat(Dependence mapping, Dependence filtering, Allocator allocator = kAllocators[0]) {
  NatOptions o;
  o.mapping = mapping;
  o.filtering = filtering;
  o.ports = allocator.ports;
  o.step = allocator.step;
  return o;
}

RouterOptions router(const NatOptions& options) {
  RouterOptions o;
  o.nat = options;
  return o;
}

/// A server on the internet, a chain of routers (the first is the outermost), a machine behind the last.
struct Place {
  Net net;
  Segment& internet;
  Machine& server_machine;
  Machine& machine;
  std::unique_ptr<StunServer> server;

  Place(std::uint64_t seed, const std::vector<RouterOptions>& routers, const Link& link,
        std::vector<IpAddress> outermost = ips({"11.0.1.1"}), StunServerOptions server_options = {})
      : net{seed}, internet{net.add_segment("internet", link)}, server_machine{net.add_machine("server")},
        machine{net.add_machine("machine")} {
    server_machine.attach(internet, ips({"11.0.0.1", "11.0.0.2"}));
    server = std::make_unique<StunServer>(server_machine, Family::v4, server_options);
    Segment* at = &internet;
    std::vector<IpAddress> outer = outermost;
    for (std::size_t i = 0; i < routers.size(); ++i) {
      const std::string n = std::to_string(i);
      Segment& inside = net.add_segment("inside " + n);
      Router& r = net.add_router("router " + n, routers[i]);
      r.attach_outer(*at, outer);
      // Without a NAT its inside is part of the internet and must be routed to.
      const std::string prefix = routers[i].nat ? "10." + n + ".0." : "11.1." + n + ".";
      r.attach_inner(inside, ips({(prefix + "1").c_str()}),
                     routers[i].nat ? std::vector<Prefix>{} : std::vector{Prefix::parse(prefix + "0/24").value()});
      outer = ips({(prefix + "2").c_str()});
      at = &inside;
    }
    machine.attach(*at, outer);
  }

  Behaviour discover(DiscoveryOptions options) {
    options.server = server->primary();
    NatDiscovery discovery{machine, options, net.rng_for("discovery")};
    discovery.start();
    while (!discovery.done() && net.step(kNever)) {
    }
    REQUIRE(discovery.done());
    return discovery.behaviour();
  }
};

Link steady() {
  Link link;
  link.delay = 20ms;
  return link;
}
Link lossy() {
  Link link = steady();
  link.jitter = 20ms;
  link.loss = 0.05;
  return link;
}

DiscoveryOptions with_lifetime(Duration longest = 5min) {
  DiscoveryOptions o;
  o.lifetime = DiscoveryOptions::Lifetime{longest, 1s};
  return o;
}

void expect(const Behaviour& wanted, const Behaviour& found, const std::string& what) {
  INFO(what << ": found " << found.to_string());
  CHECK(differences(wanted, found) == std::vector<std::string>{});
}

void classify_all(const Link& link) {
  std::uint64_t seed = 0;
  for (const Dependence mapping : kDependences)
    for (const Dependence filtering : kDependences)
      for (const Allocator& allocator : kAllocators) {
        const NatOptions options = nat(mapping, filtering, allocator);
        Place place{++seed, {router(options)}, link};
        const Behaviour wanted = declared(options, 1);
        expect(wanted, place.discover({}), wanted.to_string());
      }
}

}  // namespace

TEST_CASE("every mapping, filtering and port allocation is classified as declared") { classify_all(steady()); }

TEST_CASE("every mapping, filtering and port allocation is classified as declared at 5 % loss and jitter") {
  classify_all(lossy());
}

TEST_CASE("each kind of hairpin is told from the others, with every mapping and filtering") {
  std::uint64_t seed = 0;
  for (const Dependence mapping : kDependences)
    for (const Dependence filtering : kDependences)
      for (const Hairpin hairpin : {Hairpin::none, Hairpin::external_source, Hairpin::internal_source}) {
        NatOptions options = nat(mapping, filtering);
        options.hairpin = hairpin;
        Place place{++seed, {router(options)}, steady()};
        const Behaviour found = place.discover({});
        REQUIRE(found.hairpin);
        const bool strict = mapping != Dependence::endpoint_independent && filtering != Dependence::endpoint_independent;
        INFO(found.to_string());
        CHECK(*found.hairpin == (strict ? Hairpin::none : hairpin));  // not by way of declared(), which is judged too
        expect(declared(options, 1), found, "hairpin");
      }
}

TEST_CASE("time-outs are found within three seconds, and whether packets from outside refresh") {
  std::uint64_t seed = 0;
  for (const Duration timeout : {20s, 30s, 65s, 120s, 290s})
    for (const bool inbound : {false, true})
      for (const Dependence mapping : kDependences) {
        NatOptions options = nat(mapping, Dependence::address_and_port_dependent);
        options.timeout = timeout;
        options.inbound_refreshes = inbound;
        Place place{++seed, {router(options)}, steady()};
        const Behaviour found = place.discover(with_lifetime());
        INFO("time-out " << to_seconds(timeout) << " s: " << found.to_string());
        REQUIRE(found.alive_after);
        REQUIRE(found.dead_after);
        CHECK(*found.alive_after <= timeout);
        CHECK(*found.dead_after > timeout);
        CHECK(*found.dead_after - *found.alive_after <= 3s);
        CHECK(found.outbound_refreshes == true);
        CHECK(found.inbound_refreshes == inbound);
        CHECK(differences(declared(options, 1), found).empty());
      }
}

TEST_CASE("a time-out is found at 5 % loss") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    NatOptions options;
    options.timeout = 90s;
    options.inbound_refreshes = seed % 2 == 0;
    Place place{seed, {router(options)}, lossy()};
    expect(declared(options, 1), place.discover(with_lifetime()), "90 s");
  }
}

TEST_CASE("a time-out beyond the longest that was asked for is told as alive, and nothing more") {
  NatOptions options;
  options.timeout = 2h;
  Place place{1, {router(options)}, steady()};
  const Behaviour found = place.discover(with_lifetime(1min));
  CHECK(found.alive_after == 1min);
  CHECK_FALSE(found.dead_after);
  CHECK_FALSE(found.inbound_refreshes);
}

TEST_CASE("a pool is told paired or arbitrary, with every allocation, and time-outs are found behind it") {
  std::uint64_t seed = 0;
  for (const Pooling pooling : {Pooling::paired, Pooling::arbitrary})
    for (const Allocator& allocator : kAllocators) {
      NatOptions options = nat(Dependence::endpoint_independent, Dependence::address_dependent, allocator);
      options.pooling = pooling;
      options.timeout = 60s;
      const auto pool = ips({"11.0.1.1", "11.0.1.2", "11.0.1.3"});
      Place place{++seed, {router(options)}, steady(), pool};
      expect(declared(options, pool.size()), place.discover(with_lifetime()), "pool");
    }
}

TEST_CASE("NATs behind a NAT compose as RFC 4787's terms say, in every combination of mapping and filtering") {
  std::uint64_t seed = 0;
  for (const Dependence outer_mapping : kDependences)
    for (const Dependence outer_filtering : kDependences)
      for (const Dependence inner_mapping : kDependences)
        for (const Dependence inner_filtering : kDependences) {
          NatOptions outer = nat(outer_mapping, outer_filtering, kAllocators[seed % 5]);
          NatOptions inner = nat(inner_mapping, inner_filtering, kAllocators[seed / 5 % 5]);
          outer.hairpin = static_cast<Hairpin>(seed % 3);
          Place place{++seed, {router(outer), router(inner)}, steady()};
          const Behaviour wanted = behind(declared(inner, 1), declared(outer, 1));
          const Behaviour found = place.discover({});
          INFO("outer " << declared(outer, 1).to_string() << "; inner " << declared(inner, 1).to_string());
          expect(wanted, found, "both");
          CHECK(found.mapping == std::max(inner_mapping, outer_mapping));
          CHECK(found.filtering == std::max(inner_filtering, outer_filtering));
        }
}

TEST_CASE("of two NATs in a row the shorter time-out counts") {
  for (const bool inner_shorter : {false, true}) {
    NatOptions inner;
    NatOptions outer;
    (inner_shorter ? inner : outer).timeout = 30s;
    Place place{3, {router(outer), router(inner)}, steady()};
    expect(behind(declared(inner, 1), declared(outer, 1)), place.discover(with_lifetime()), "two");
  }
}

TEST_CASE("a public host is told as one") {
  for (const Link& link : {steady(), lossy()}) {
    Place place{1, {}, link};
    const Behaviour found = place.discover(with_lifetime(1min));
    expect(declared_public(), found, "public");
    CHECK(found.outer->ip == ips({"11.0.1.1"})[0]);
    CHECK_FALSE(found.ports);
    CHECK_FALSE(found.hairpin);
    CHECK(found.alive_after == 1min);
    CHECK_FALSE(found.dead_after);
  }
}

TEST_CASE("a stateful firewall without a NAT is told by its filter and its time-out") {
  for (const Link& link : {steady(), lossy()}) {
    RouterOptions options;
    options.firewall.stateful = true;
    options.firewall.timeout = 45s;
    Place place{1, {options}, link};
    const Behaviour found = place.discover(with_lifetime());
    expect(declared(options.firewall), found, "firewall");
    CHECK_FALSE(found.translated);
    CHECK(found.filtering == Dependence::address_and_port_dependent);
    CHECK(found.dead_after);
  }
}

TEST_CASE("a router without NAT or firewall changes nothing") {
  Place place{1, {RouterOptions{}}, steady()};
  expect(declared_public(), place.discover({}), "router");
}

TEST_CASE("a stateful firewall makes a NAT's filter as strict as its own, and leaves the rest") {
  RouterOptions options = router(nat(Dependence::address_dependent, Dependence::endpoint_independent));
  options.firewall.stateful = true;
  Place place{1, {options}, steady()};
  const Behaviour found = place.discover({});
  CHECK(found.mapping == Dependence::address_dependent);
  CHECK(found.filtering == Dependence::address_and_port_dependent);
}

TEST_CASE("blocked UDP is told as such, behind a NAT or not, and nothing else is claimed") {
  for (const bool natted : {false, true}) {
    RouterOptions options;
    if (natted) options.nat = NatOptions{};
    options.firewall.udp_blocked = true;
    Place place{1, {options}, steady()};
    const Behaviour found = place.discover(with_lifetime());
    expect(declared(options.firewall), found, "blocked");
    CHECK(found.udp_blocked);
    CHECK_FALSE(found.mapping);
    CHECK_FALSE(found.filtering);
    CHECK_FALSE(found.outer);
    CHECK_FALSE(found.alive_after);
  }
}

TEST_CASE("a server without a second address leaves mapping and filtering open") {
  StunServerOptions ordinary;
  ordinary.behaviour_discovery = false;
  Place place{1, {router(NatOptions{})}, steady(), ips({"11.0.1.1"}), ordinary};
  const Behaviour found = place.discover({});
  CHECK(found.translated);
  CHECK_FALSE(found.mapping);
  CHECK_FALSE(found.filtering);
  CHECK(found.ports == PortAllocation::preserving);
}

TEST_CASE("a NAT that is built other than declared is caught, and the axis is named") {
  NatOptions said = nat(Dependence::endpoint_independent, Dependence::endpoint_independent, kAllocators[1]);
  said.timeout = 60s;
  struct Case {
    const char* axis;
    void (*change)(NatOptions&);
  };
  const Case cases[] = {
      {"mapping", [](NatOptions& o) { o.mapping = Dependence::address_dependent; }},
      {"mapping", [](NatOptions& o) { o.mapping = Dependence::address_and_port_dependent; }},
      {"filtering", [](NatOptions& o) { o.filtering = Dependence::address_dependent; }},
      {"filtering", [](NatOptions& o) { o.filtering = Dependence::address_and_port_dependent; }},
      {"ports", [](NatOptions& o) { o.ports = PortAllocation::random; }},
      {"ports", [](NatOptions& o) { o.ports = PortAllocation::preserving; }},
      {"step", [](NatOptions& o) { o.step = 2; }},
      {"step", [](NatOptions& o) { o.step = -1; }},
      {"pooling", [](NatOptions& o) { o.pooling = Pooling::arbitrary; }},
      {"hairpin", [](NatOptions& o) { o.hairpin = Hairpin::none; }},
      {"hairpin", [](NatOptions& o) { o.hairpin = Hairpin::internal_source; }},
      {"time-out", [](NatOptions& o) { o.timeout = 56s; }},
      {"time-out", [](NatOptions& o) { o.timeout = 64s; }},
      {"inbound refreshes", [](NatOptions& o) { o.inbound_refreshes = true; }},
  };
  std::uint64_t seed = 0;
  for (const Case& c : cases) {
    NatOptions built = said;
    c.change(built);
    const auto pool = ips({"11.0.1.1", "11.0.1.2", "11.0.1.3"});
    Place place{++seed, {router(built)}, steady(), pool};
    const auto wrong = differences(declared(said, pool.size()), place.discover(with_lifetime()));
    INFO("built with another " << c.axis << ", number " << seed);
    REQUIRE_FALSE(wrong.empty());
    CHECK(wrong[0].starts_with(std::string{c.axis} + ": declared "));
    for (const std::string& line : wrong)  // a step that is gone belongs to the allocation
      CHECK((line.starts_with(c.axis) || (c.axis == std::string{"ports"} && line.starts_with("step"))));
  }
  Place honest{99, {router(said)}, steady(), ips({"11.0.1.1", "11.0.1.2", "11.0.1.3"})};
  CHECK(differences(declared(said, 3), honest.discover(with_lifetime())).empty());
}
