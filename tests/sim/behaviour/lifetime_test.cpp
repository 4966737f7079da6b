// How long a silent mapping lives: bracketed rightly wherever that can be known, and said where it can't.
#include <catch2/catch_test_macros.hpp>
#include <iostream>

#include "sim/behaviour/discoverer.hpp"

using namespace pw;
using namespace pw::net;

namespace {

constexpr auto kTimeouts = {10s, 20s, 45s, 90s, 180s, 600s};

PlaceOptions with_lifetime(RouterOptions router, std::uint64_t seed = 1) {
  PlaceOptions o;
  o.routers = {std::move(router)};
  o.discovery.lifetime = true;
  o.seed = seed;
  return o;
}

/// Verdict first, lifetime minutes later.
const event::NatBehaviour& learn(Place& place) {
  place.discover();
  place.net.run_until(place.net.now() + 20min);
  UNSCOPED_INFO("found " << to_string(place.node->result()));
  return place.node->result();
}

bool untold(const event::NatBehaviour& b, const std::string& why) {
  return !b.lifetime && !b.expires && std::ranges::find(b.not_tested, "lifetime: " + why) != b.not_tested.end();
}

void check_bracket(const event::NatBehaviour& b, Duration truth) {
  CHECK((b.lifetime || b.expires));
  if (b.lifetime) CHECK(*b.lifetime <= truth);
  if (b.expires) CHECK(*b.expires >= truth);
  CHECK(b.lifetime.has_value() == (truth > 15s));
  CHECK(b.expires.has_value() == (truth < 300s));
  if (b.lifetime && b.expires) CHECK(*b.expires <= 3 * *b.lifetime);
}

bool can_be_known(const NatOptions& nat) {
  return nat.ports != PortAllocation::preserving || nat.mapping != Dependence::endpoint_independent ||
         nat.filtering != Dependence::endpoint_independent;
}

}  // namespace

TEST_CASE("a lifetime is bracketed behind every NAT where a new mapping differs from an old one, else it is not told") {
  unsigned packets = 0;
  for (const bool inbound : {false, true})
    for (NatOptions nat : every_nat())
      for (const Duration timeout : kTimeouts) {
        nat.timeout = timeout;
        nat.inbound_refreshes = inbound;
        RouterOptions router;
        router.nat = nat;
        Place place{with_lifetime(router)};
        const auto& found = learn(place);
        INFO("declared " << declared(nat, 1).to_string());
        if (can_be_known(nat))
          check_bracket(found, timeout);
        else
          CHECK(untold(found, "a new mapping could not be told from an old one"));
        packets = std::max(packets, place.node->packets_in_all - place.node->packets);
        CHECK(place.node->sockets() == 1);
        CHECK(place.node->poll_timeout() == kNever);
        CHECK(differences(declared(nat, 1), found) == std::vector<std::string>{});
      }
  CHECK(packets <= 30);
}

TEST_CASE("at 5 % loss each way a lifetime is bracketed or not told, never told wrong") {
  std::uint64_t seed = 0;
  unsigned untold_ones = 0;
  for (NatOptions nat : every_nat())
    for (const Duration timeout : kTimeouts) {
      nat.timeout = timeout;
      RouterOptions router;
      router.nat = nat;
      PlaceOptions options = with_lifetime(router, ++seed);
      options.internet.loss = 0.05;
      options.internet.jitter = 10ms;
      Place place{options};
      const auto& found = learn(place);
      if (found.lifetime) CHECK(*found.lifetime <= timeout);
      if (found.expires) CHECK(*found.expires >= timeout);
      if (!found.lifetime && !found.expires && can_be_known(nat)) ++untold_ones;
      CHECK(place.node->sockets() == 1);
    }
  CHECK(untold_ones <= 3);
}

TEST_CASE("the memory of a firewall without a NAT is bracketed, and without one there is nothing to learn") {
  for (const Duration timeout : kTimeouts) {
    RouterOptions router;
    router.firewall.stateful = true;
    router.firewall.timeout = timeout;
    Place place{with_lifetime(router)};
    check_bracket(learn(place), timeout);
  }
  PlaceOptions options;
  options.discovery.lifetime = true;
  Place place{options};
  CHECK(untold(learn(place), "nothing in the way remembers anything"));
}

TEST_CASE("of two NATs in a row the shorter lifetime is found") {
  for (const bool inner_shorter : {false, true}) {
    RouterOptions inner;
    inner.nat = NatOptions{};
    RouterOptions outer = inner;
    (inner_shorter ? inner : outer).nat->timeout = 40s;
    PlaceOptions options = with_lifetime(outer);
    options.routers.push_back(inner);
    Place place{options};
    check_bracket(learn(place), 40s);
  }
}

TEST_CASE("a server that goes away in the middle makes no lifetime") {
  for (const auto ports : {PortAllocation::preserving, PortAllocation::random}) {
    RouterOptions router;
    router.nat = NatOptions{};
    router.nat->ports = ports;
    router.nat->timeout = 10min;
    Place place{with_lifetime(router)};
    place.discover();
    place.net.run_until(place.net.now() + 10s);
    place.servers[0].reset();
    place.net.run_until(place.net.now() + 20min);
    CHECK(untold(place.node->result(), "a server does not answer as it did before"));
    CHECK(place.node->sockets() == 1);
  }
}

TEST_CASE("one further socket is open at a time while a lifetime is learned, and none after a stop") {
  RouterOptions router;
  router.nat = NatOptions{};
  Place place{with_lifetime(router)};
  place.discover();
  place.node->most_sockets = 0;
  place.net.run_until(place.net.now() + 70s);
  CHECK(place.node->most_sockets <= 1);
  CHECK(place.node->sockets() == 2);
  place.node->stop();
  CHECK(place.node->sockets() == 1);
  CHECK(place.node->poll_timeout() == kNever);
}
