// Addresses change under a connection: a NAT forgets its mapping, an uplink is another one. Checks find the peer again.
#include <catch2/catch_test_macros.hpp>

#include "sim/path/ends.hpp"

namespace pw::path {
namespace {

constexpr std::uint64_t kSeeds = 50;

net::NatOptions random_ports() {
  net::NatOptions o;
  o.ports = net::PortAllocation::random;
  return o;
}

/// `a` is behind a NAT on the direct segment; `b` is not.
struct Translated {
  explicit Translated(std::uint64_t seed, const net::NatOptions& nat = random_ports())
      : net{seed},
        core{net.add_segment("core", net::Link{.delay = 10ms})},
        lan{net.add_segment("lan")},
        router{net.add_router("router", {.nat = nat, .firewall = {}, .port_mapper = {}})},
        a{net, "a", true},
        b{net, "b", false} {
    router.attach_outer(core, {net::ip("9.1.0.1")});
    router.attach_inner(lan, {net::ip("10.0.0.1")});
    a.machine().attach(lan, {net::ip("10.0.0.2")});
    b.machine().attach(core, {net::ip("9.1.0.2")});
  }
  /// As if the handshake had gone over it: b has heard from a.
  void start() {
    a.add({{}, b.address()}, PathKind::direct_v4, true);
    run(5s);
    PW_CHECK(b.set.paths() == 1);
  }
  void run(Duration d) { net.run_until(net.now() + d); }

  net::Net net;
  net::Segment& core;
  net::Segment& lan;
  net::Router& router;
  End a;
  End b;
};

TEST_CASE("a peer whose mapped port changes is found by its next check, and nothing sent afterwards is lost") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Translated t{seed};
    t.start();
    t.a.send_every(20ms);
    t.b.send_every(20ms);
    t.run(2s + t.net.rng_for("when").up_to(1s));
    const PathAddress before = t.b.sending.at(0);
    t.router.reboot(0s);  // every mapping is forgotten; the next one has another port
    const Instant began = t.net.now();
    t.run(30s);
    REQUIRE(t.b.sending.size() == 1);
    CHECK(t.b.sending[0] != before);
    CHECK(t.b.sending[0].remote.ip == before.remote.ip);
    // The check back to the new address, then one at full size, then the doubt about the old one.
    const Instant proved = t.b.told<PathProved>().back().first;
    CHECK(proved - began <= 200ms);
    CHECK(lost(t.b, t.a, began + 3 * probe::Liveness::kMinTimeout, t.net.now() - 1s) == 0);
    CHECK(lost(t.a, t.b, began, t.net.now() - 1s) == 0);
    CHECK(t.b.moves(PathChangeReason::path_lost) == 1);
    t.run(Set::kForgetDead);
    CHECK(t.b.set.paths() == 1);
    CHECK(t.a.set.paths() == 1);
    CHECK(t.a.path(PathKind::direct_v4)->mapped == t.b.sending[0].remote);  // it knows how it is seen
  }
}

TEST_CASE("a mapping that the NAT keeps for a short time is kept by the checks of an idle path") {
  net::NatOptions nat = random_ports();
  nat.timeout = 20s;
  Translated t{1, nat};
  t.start();
  t.run(1h);
  CHECK(t.b.set.paths() == 1);
  CHECK(t.b.told<PathProved>().size() == 1);
  CHECK_FALSE(t.b.became(PathKind::direct_v4, PathHealth::suspect));
}

TEST_CASE("two ends behind NATs are joined by single checks to where each was seen") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    net::Net net{seed};
    net::Segment& core = net.add_segment("core", net::Link{.delay = 20ms});
    End a{net, "a", true};
    End b{net, "b", false};
    for (const auto& [end, n] : {std::pair{&a, "1"}, std::pair{&b, "2"}}) {
      net::Router& router =
          net.add_router(std::string{"router "} + n, {.nat = net::NatOptions{}, .firewall = {}, .port_mapper = {}});
      router.attach_outer(core, {net::ip(std::string{"9.1.0."} + n)});
      net::Segment& lan = net.add_segment(std::string{"lan "} + n);
      router.attach_inner(lan, {net::ip("10.0.0.1")});
      end->machine().attach(lan, {net::ip("10.0.0.2")});
    }
    // Ports are preserved, filters admit one remote each.
    const auto punch = [&](End& end, const char* to, std::uint8_t ttl) {
      end.command([&](Set& s, Instant now) {
        REQUIRE(s.check(now, {{}, {net::ip(to), kPort}}, PathKind::direct_v4, ttl));
      });
    };
    punch(a, "9.1.0.2", 2);  // opens its own NAT and gets no further
    net.run_until(net.now() + net.rng_for("late").up_to(300ms));
    for (int i = 0; i < 6; ++i) {
      punch(a, "9.1.0.2", 0);
      punch(b, "9.1.0.1", 0);
      net.run_until(net.now() + 100ms);
    }
    net.run_until(net.now() + 1s);
    CHECK(a.set.sending_kind() == PathKind::direct_v4);
    CHECK(b.set.sending_kind() == PathKind::direct_v4);
    CHECK(a.set.paths() == 1);
    CHECK(b.set.paths() == 1);
    for (const auto& [at, e] : a.told<LossAccounted>()) CHECK(e.lost == 0);  // what only opened the way is no loss
  }
}

TEST_CASE("an end whose address changes goes on from the new one, and the peer follows on proof") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.a.add(ends.way(ends.a, ends.b, 0), PathKind::direct_v4, true);
    ends.b.add(ends.way(ends.b, ends.a, 0), PathKind::direct_v4, true);
    ends.run(5s);
    ends.a.machine().set_addresses(ends.a.interface(0), {net::ip("9.1.0.77")});
    const Instant began = ends.net.now();
    const std::vector<IpAddress> own{net::ip("9.1.0.77"), net::ip("9.2.0.1")};
    ends.a.command([&](Set& s, Instant now) { s.network_changed(now, own); });
    ends.a.send_every(10ms);
    ends.b.send_every(10ms);
    ends.run(10s);
    CHECK(lost(ends.a, ends.b, began, ends.net.now() - 1s) == 0);
    REQUIRE(ends.b.sending.size() == 1);
    CHECK(ends.b.sending[0].remote.ip == net::ip("9.1.0.77"));
    CHECK(lost(ends.b, ends.a, began + 300ms, ends.net.now() - 1s) == 0);
    CHECK(ends.a.set.paths() == 1);
    CHECK_FALSE(ends.a.became(PathKind::direct_v4, PathHealth::suspect));
  }
}

}  // namespace
}  // namespace pw::path
