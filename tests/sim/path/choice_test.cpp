// Which path packets take: direct ones as soon as they are proved, the faster of two, and no to and fro.
#include <catch2/catch_test_macros.hpp>

#include "sim/path/ends.hpp"

namespace pw::path {
namespace {

constexpr std::uint64_t kSeeds = 50;

/// Both ends reach each other by IPv6 as well, over a segment of its own.
net::Segment& add_ipv6(Ends& ends, Duration delay) {
  net::Segment& six = ends.net.add_segment("six", net::Link{.delay = delay});
  ends.a.machine().attach(six, {net::ip("2001:db8::1")});
  ends.b.machine().attach(six, {net::ip("2001:db8::2")});
  return six;
}
void check_ipv6(Ends& ends) {
  ends.a.add(ends.way(ends.a, ends.b, 2), PathKind::direct_v6, false);
  ends.b.add(ends.way(ends.b, ends.a, 2), PathKind::direct_v6, false);
}
void set_delay(Ends& ends, net::Segment& s, std::size_t interface, Duration delay) {
  s.wire(ends.a.interface(interface), ends.b.interface(interface)).link.delay = delay;
  s.wire(ends.b.interface(interface), ends.a.interface(interface)).link.delay = delay;
}

TEST_CASE("a relayed session moves to the direct path after two round trips, and loses nothing by it") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_relayed();
    ends.a.send_every(5ms);
    ends.b.send_every(5ms);
    ends.run(3s);
    const Instant began = ends.net.now();
    ends.a.add(ends.way(ends.a, ends.b, 0), PathKind::direct_v4, false);  // b learns of it by the check
    ends.run(3s);
    CHECK(ends.a.moved_to(PathKind::direct_v4).value() - began == 4 * Ends::kDirect);
    CHECK(ends.b.moved_to(PathKind::direct_v4).value() - began == 5 * Ends::kDirect);
    CHECK(ends.a.moves(PathChangeReason::upgraded) == 2);  // from none to the relay, and from there
    CHECK(lost(ends.a, ends.b, net::Net::kStart, ends.net.now() - 1s) == 0);
    CHECK(lost(ends.b, ends.a, net::Net::kStart, ends.net.now() - 1s) == 0);
  }
}

TEST_CASE("two ends that check each other at once, over lossy wires, both come to the direct path") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.both(ends.direct, [](net::Link& l) { l.loss = 0.2; });
    ends.start_relayed();
    ends.a.add(ends.way(ends.a, ends.b, 0), PathKind::direct_v4, false);
    ends.b.add(ends.way(ends.b, ends.a, 0), PathKind::direct_v4, false);
    ends.run(60s);
    CHECK(ends.a.moved_to(PathKind::direct_v4));
    CHECK(ends.b.moved_to(PathKind::direct_v4));
  }
}

TEST_CASE("IPv4 and IPv6 race, and the faster one is moved to after its trial") {
  Ends ends{1};
  net::Segment& six = add_ipv6(ends, 4ms);
  ends.start_direct();
  const Instant began = ends.net.now();
  check_ipv6(ends);
  ends.run(30s);
  CHECK(ends.a.moves(PathChangeReason::better_rtt) == 1);
  const Duration took = ends.a.moved_to(PathKind::direct_v6).value() - began;
  CHECK(took >= Selector::kTrial);
  CHECK(took <= Selector::kTrial + 2s);
  set_delay(ends, six, 2, 9ms);  // still the faster of the two, but for the margin
  ends.run(60s);
  CHECK(ends.a.set.sending_kind() == PathKind::direct_v6);
  set_delay(ends, six, 2, 40ms);
  ends.run(30s);
  CHECK(ends.a.set.sending_kind() == PathKind::direct_v4);
  CHECK(ends.a.moves(PathChangeReason::better_rtt) == 2);
}

TEST_CASE("two equal paths whose RTT wanders are not changed for one another") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    net::Segment& six = add_ipv6(ends, Ends::kDirect);
    ends.start_direct();
    check_ipv6(ends);
    ends.both(ends.direct, [](net::Link& l) { l.jitter = 6ms; });
    six.wire(ends.a.interface(2), ends.b.interface(2)).link.jitter = 6ms;
    ends.run(1h);
    CHECK(ends.a.moves(PathChangeReason::better_rtt) == 0);
    CHECK(ends.b.moves(PathChangeReason::better_rtt) == 0);
  }
}

TEST_CASE("a direct path that comes and goes is returned to less and less often") {
  Ends ends{1};
  ends.start_direct();
  for (int i = 0; i < 60; ++i) {  // 15 minutes: 10 s away, 5 s there
    ends.both(ends.direct, [](net::Link& l) { l.up = false; });
    ends.run(10s);
    ends.both(ends.direct, [](net::Link& l) { l.up = true; });
    ends.run(5s);
  }
  CHECK(ends.a.moves(PathChangeReason::path_lost) <= 2);
  ends.run(90s);  // it is steady
  CHECK(ends.a.set.sending_kind() == PathKind::direct_v4);
}

TEST_CASE("a direct path that was away once is returned to once, after a minimum time") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    ends.a.events.clear();
    ends.both(ends.direct, [](net::Link& l) { l.up = false; });
    ends.run(20s);
    ends.both(ends.direct, [](net::Link& l) { l.up = true; });
    const Instant back = ends.net.now();
    ends.run(60s);
    CHECK(ends.a.moves(PathChangeReason::path_lost) == 1);
    CHECK(ends.a.moves(PathChangeReason::upgraded) == 1);
    const Duration waited = ends.a.moved_to(PathKind::direct_v4).value() - back;
    CHECK(waited >= Selector::kReturn);
    CHECK(waited <= Selector::kReturn + Options{}.standby_interval + 1s);
  }
}

TEST_CASE("when no path is alive none is used, and the first that answers is, at the pace of the path in use") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Ends ends{seed};
    ends.start_direct();
    for (net::Segment* s : {&ends.direct, &ends.detour}) ends.both(*s, [](net::Link& l) { l.up = false; });
    ends.run(40s);
    CHECK(ends.a.set.sending().empty());
    CHECK(ends.a.set.sending_kind() == PathKind::none);
    ends.both(ends.detour, [](net::Link& l) { l.up = true; });
    ends.run(2s);
    CHECK(ends.a.set.sending_kind() == PathKind::relay_quic);
    CHECK(ends.b.set.sending_kind() == PathKind::relay_quic);
  }
}

TEST_CASE("a path that stays dead is forgotten, and a relay that was closed is left at once") {
  Ends ends{1};
  ends.start_direct();
  ends.both(ends.direct, [](net::Link& l) { l.up = false; });
  ends.run(Set::kForgetDead + 10s);
  CHECK(ends.a.set.paths() == 1);
  CHECK(ends.a.told<PathForgotten>().back().second.why == Forgotten::dead);

  Ends other{2};
  other.start_relayed();
  other.a.add(other.way(other.a, other.b, 0), PathKind::direct_v4, false);
  other.link(other.direct, other.b, other.a).mtu = 1000;
  other.run(10s);
  REQUIRE(other.a.set.sending_kind() == PathKind::relay_quic);
  other.a.command(
      [&](Set& s, Instant now) { s.close(now, other.way(other.a, other.b, 1), PathChangeReason::relay_closed); });
  CHECK(other.a.set.sending_kind() == PathKind::direct_v4);  // better a narrow one than none
  CHECK(other.a.moves(PathChangeReason::relay_closed) == 1);
}

TEST_CASE("ten thousand switches leave nothing behind") {
  Ends ends{1};
  net::Segment& six = add_ipv6(ends, Ends::kDirect);
  ends.start_direct();
  check_ipv6(ends);
  ends.run(5s);
  for (int switches = 0; switches < 10'000; ++switches) {
    const bool four = ends.a.set.sending_kind() == PathKind::direct_v4;
    net::Segment& in_use = four ? ends.direct : six;
    const std::size_t interface = four ? 0 : 2;
    net::Link& cut = in_use.wire(ends.a.interface(interface), ends.b.interface(interface)).link;
    cut.up = false;
    ends.run(3s);
    cut.up = true;
    ends.run(6s);
    REQUIRE(ends.a.moves(PathChangeReason::path_lost) == 1);
    REQUIRE(ends.b.moves(PathChangeReason::path_lost) == 1);
    REQUIRE(ends.a.set.sending_kind() == (four ? PathKind::direct_v6 : PathKind::direct_v4));
    for (End* end : {&ends.a, &ends.b}) {
      end->events.clear();
      REQUIRE(end->set.paths() == 3);
      REQUIRE(end->set.candidates() == 0);
      REQUIRE(end->set.checks_under_way() < 40);  // what went out while it was cut, for Checks::kLifetime
    }
  }
}

}  // namespace
}  // namespace pw::path
