// nat::PortMapping against the simulated routers' port mappers: what counts is whether a stranger's packet arrives.
#include <catch2/catch_test_macros.hpp>

#include "sim/portmap/mapped_host.hpp"

namespace pw::net {
namespace {

using nat::MappingError;
using nat::MappingProtocol;
using nat::MappingState;

constexpr MappingProtocol kAll[] = {MappingProtocol::pcp, MappingProtocol::nat_pmp, MappingProtocol::upnp};

PortMapperOptions speaks(std::optional<MappingProtocol> protocol) {
  PortMapperOptions o;
  o.pcp = protocol == MappingProtocol::pcp;
  o.nat_pmp = protocol == MappingProtocol::nat_pmp;
  o.upnp = protocol == MappingProtocol::upnp;
  return o;
}
PortMapperOptions speaks_all() {
  PortMapperOptions o;
  o.pcp = o.nat_pmp = o.upnp = true;
  return o;
}

/// A host behind a router that filters whatever did not begin inside, and a stranger outside.
struct World {
  Net net;
  Segment& core = net.add_segment("core", Link{.delay = 10ms});
  Segment& lan = net.add_segment("lan");
  Router& router;
  Recorder stranger{net, core, "stranger", "9.0.0.9"};
  MappedHost host;

  explicit World(PortMapperOptions mapper, std::uint64_t seed = 1, const Link& access = {})
      : net{seed}, router{plugged(mapper)}, host{net, lan, router, "host", "192.168.1.2", access} {}
  Router& plugged(const PortMapperOptions& mapper) {
    RouterOptions o;
    o.nat.emplace();
    o.port_mapper = mapper;
    Router& r = net.add_router("router", o);
    r.attach_outer(core, {ip("11.0.0.1")});
    r.attach_inner(lan, {ip("192.168.1.1")});
    return r;
  }
  void run(Duration d) { net.run_until(net.now() + d); }
  bool reaches(const SocketAddress& external) {
    const std::size_t before = host.got.size();
    stranger.send(external, "hello");
    run(500ms);
    return host.got.size() > before;
  }
  /// Whether what the host believes is mapped lets a stranger in; false too when it believes nothing.
  bool works() {
    const auto& m = host.mapping->mapping();
    return m && reaches(m->external);
  }
  /// The daemon's check from outside, whenever there is something to check.
  void check_from_outside() {
    const auto m = host.mapping->mapping();
    if (m) host.verified(m->external, reaches(m->external));
  }
  nat::MappingReport report(MappingProtocol p) const { return host.mapping->report(p); }
};

TEST_CASE("in each protocol that a gateway speaks alone, a stranger's packet arrives within 20 s") {
  for (const MappingProtocol protocol : kAll) {
    INFO(name(protocol));
    World w{speaks(protocol)};
    w.run(20s);
    REQUIRE(w.host.mapping->mapping());
    CHECK(w.host.mapping->mapping()->protocol == protocol);
    CHECK(w.report(protocol).state == MappingState::unverified);
    w.check_from_outside();
    CHECK(w.report(protocol).state == MappingState::mapped);
    for (const MappingProtocol other : kAll)
      if (other < protocol) {
        CHECK(w.report(other).state == MappingState::unavailable);
      }
  }
}

TEST_CASE("a gateway that speaks one of the two by datagrams is recognised at the first answer, within a second") {
  for (const MappingProtocol protocol : {MappingProtocol::pcp, MappingProtocol::nat_pmp}) {
    World w{speaks(protocol)};
    w.run(1s);
    CHECK(w.works());
  }
}

TEST_CASE("over two days a mapping is renewed before it ends, in each protocol, also where lifetimes are short") {
  for (const MappingProtocol protocol : kAll)
    for (const Duration longest : {Duration{2h}, Duration{2min}}) {
      INFO(name(protocol) << ' ' << to_seconds(longest));
      PortMapperOptions o = speaks(protocol);
      o.max_lifetime = longest;
      World w{o};
      w.run(20s);
      w.check_from_outside();
      for (int i = 0; i < 48 * 6; ++i) {
        w.run(10min);
        REQUIRE(w.works());
        REQUIRE(w.host.mapping->mapping()->verified);
      }
      // A check every 5 minutes; renewals at half the lifetime.
      CHECK(w.host.asked <= 48 * 12 + (longest < 1h ? 48 * 60 : 2 * 48) + 20);
    }
}

TEST_CASE("after a router's restart the mapping is there again within six minutes; UPnP, with its renewal") {
  for (const MappingProtocol protocol : kAll)
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      INFO(name(protocol) << " seed " << seed);
      World w{speaks(protocol), seed};
      w.run(20s + seed * 17s);
      w.check_from_outside();
      const auto before = w.host.mapping->mapping()->external;
      w.router.reboot(70s);
      w.run(60s);
      CHECK_FALSE(w.works());
      w.run(10s + (protocol == MappingProtocol::upnp ? Duration{38min} : Duration{5min + 10s}));
      CHECK(w.works());
      CHECK(w.host.mapping->mapping()->external == before);
      if (protocol != MappingProtocol::upnp) {
        CHECK_FALSE(w.host.mapping->mapping()->verified);  // made anew: to be checked again
      }
    }
}

TEST_CASE("who is told to check finds a restart at once") {
  for (const MappingProtocol protocol : kAll) {
    World w{speaks(protocol)};
    w.run(20s);
    w.router.reboot(1s);
    w.run(5s);
    CHECK_FALSE(w.works());
    w.host.check();
    w.run(6s);
    CHECK(w.works());
  }
}

TEST_CASE("a changed public address is followed") {
  for (const MappingProtocol protocol : kAll) {
    INFO(name(protocol));
    World w{speaks(protocol)};
    w.run(20s);
    w.check_from_outside();
    w.router.change_addresses({ip("11.0.0.77")});
    w.run(protocol == MappingProtocol::upnp ? Duration{38min} : Duration{5min + 10s});
    REQUIRE(w.host.mapping->mapping());
    CHECK(w.host.mapping->mapping()->external.ip == ip("11.0.0.77"));
    CHECK_FALSE(w.host.mapping->mapping()->verified);
    CHECK(w.works());
  }
}

TEST_CASE("no lie of a gateway is believed for longer than until the next check from outside") {
  for (std::size_t lie = 1; lie < enum_count<MapperLie>(); ++lie)
    for (std::size_t spoken = 0; spoken <= 3; ++spoken) {
      PortMapperOptions o = spoken < 3 ? speaks(kAll[spoken]) : speaks_all();
      o.lie = static_cast<MapperLie>(lie);
      INFO(name(o.lie) << ' ' << spoken);
      World w{o};
      int mapped = 0;
      int nothing = 0;
      for (int i = 0; i < 6 * 60 * 4; ++i) {
        w.run(10s);
        w.check_from_outside();
        ++(w.host.mapping->mapping() && w.host.mapping->mapping()->verified ? mapped : nothing);
      }
      if (o.lie == MapperLie::forgets) {
        CHECK((mapped > 0 && nothing > 0));
      } else {
        CHECK(mapped == 0);
      }
      const MappingProtocol first = spoken < 3 ? kAll[spoken] : MappingProtocol::pcp;
      if (o.lie == MapperLie::private_address) {
        CHECK(w.report(first) == nat::MappingReport{MappingState::refused, MappingError::not_public});
      } else if (o.lie != MapperLie::forgets && !w.host.mapping->mapping()) {
        CHECK(w.report(first) == nat::MappingReport{MappingState::failed, MappingError::unreachable});
      }
      CHECK(w.host.asked <= 4 * 60 * 12);
    }
}

TEST_CASE("a gateway that refuses is left alone: asked in every protocol, then ever more rarely") {
  PortMapperOptions o = speaks_all();
  o.refuses = true;
  World w{o};
  w.run(24h);
  for (const MappingProtocol protocol : kAll)
    CHECK(w.report(protocol) == nat::MappingReport{MappingState::refused, MappingError::not_authorised});
  CHECK_FALSE(w.host.mapping->mapping());
  CHECK(w.host.asked <= 3 * 32);
}

TEST_CASE("a silent gateway costs fewer than ten packets an hour") {
  World w{speaks(std::nullopt)};
  w.run(24h);
  CHECK_FALSE(w.reaches({ip("11.0.0.1"), MappedHost::kService}));
  CHECK(w.host.asked <= 7 * 32);
  for (const MappingProtocol protocol : kAll) CHECK(w.report(protocol).state == MappingState::unavailable);
}

TEST_CASE("released, nothing is mapped any more") {
  for (const MappingProtocol protocol : kAll) {
    INFO(name(protocol));
    World w{speaks(protocol)};
    w.run(20s);
    const auto external = w.host.mapping->mapping()->external;
    CHECK(w.reaches(external));
    w.host.release();
    w.run(2s);
    CHECK_FALSE(w.reaches(external));
    w.run(3h);
    CHECK_FALSE(w.reaches(external));
  }
}

TEST_CASE("released while UPnP is still at it, nothing stays behind") {
  World w{speaks(MappingProtocol::upnp)};
  while (w.router.nat()->mappings(w.net.now()) == 0) {
    w.run(100ms);
    if (w.host.upnp_under_way()) break;
  }
  w.host.release();
  w.run(5s);
  CHECK(w.router.nat()->mappings(w.net.now()) == 0);
}

TEST_CASE("a killed host that comes back is mapped again, though PCP holds it for a stranger") {
  World w{speaks_all()};
  w.run(20s);
  w.host.start();
  w.run(20s);
  CHECK(w.report(MappingProtocol::pcp) == nat::MappingReport{MappingState::refused, MappingError::not_authorised});
  REQUIRE(w.host.mapping->mapping());
  CHECK(w.host.mapping->mapping()->protocol == MappingProtocol::nat_pmp);
  CHECK(w.works());
}

TEST_CASE("two hosts that want the same outer port get one each") {
  for (const MappingProtocol protocol : kAll) {
    INFO(name(protocol));
    World w{speaks(protocol)};
    w.run(20s);
    MappedHost second{w.net, w.lan, w.router, "second", "192.168.1.3"};
    w.run(30s);
    REQUIRE(second.mapping->mapping());
    CHECK(second.mapping->mapping()->external != w.host.mapping->mapping()->external);
    CHECK(w.works());
    w.stranger.send(second.mapping->mapping()->external, "you");
    w.run(1s);
    CHECK(second.got == std::vector<std::string>{"you"});
  }
}

TEST_CASE("with a fifth of the packets lost between host and gateway, a mapping is there within three minutes, and stays") {
  for (const MappingProtocol protocol : {MappingProtocol::pcp, MappingProtocol::nat_pmp})
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      INFO(name(protocol) << " seed " << seed);
      World w{speaks(protocol), seed, Link{.loss = 0.2}};
      w.run(3min);
      REQUIRE(w.host.mapping->mapping());
      for (int i = 0; i < 12; ++i) {
        w.run(30min);
        REQUIRE(w.host.mapping->mapping());
      }
    }
}

}  // namespace
}  // namespace pw::net
