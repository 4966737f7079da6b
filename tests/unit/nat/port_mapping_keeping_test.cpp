// PortMapping: a mapping is renewed, made anew when the gateway forgot it, and deleted at the end.
#include <vector>

#include "unit/nat/port_mapping_rig.hpp"

namespace pw::nat {
namespace {

TEST_CASE("PCP renews after 1/2 to 5/8 of the lifetime, 3/4 to 13/16, and so on, never less than 4 s apart") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rig r;
    r.mapping = PortMapping{{.port = kPort, .check_every = 100h}, Rng{seed}};
    r.plug();
    r.map_by_pcp();
    const Instant granted = r.now;
    std::vector<double> when;
    std::vector<Instant> at_times;
    while (r.mapping.mapping()) {
      r.step();
      if (r.mapping.mapping() && r.count_sent() > 0) {
        when.push_back(to_seconds(r.now - granted) / 7200);
        at_times.push_back(r.now);
      }
    }
    REQUIRE(when.size() >= 8);
    CHECK((when[0] >= 0.5 && when[0] <= 0.625));
    CHECK((when[1] >= 0.75 && when[1] <= 0.8125));
    CHECK((when[2] >= 0.875 && when[2] <= 0.90625));
    for (std::size_t i = 1; i < at_times.size(); ++i) CHECK(at_times[i] - at_times[i - 1] >= 4s);
    CHECK(r.now == granted + 7200s);  // expired: begins anew
    CHECK(r.report(kPcp) == MappingReport{State::unavailable, Error::no_answer});
    CHECK(r.count_sent() == 1);
  }
}

TEST_CASE("a renewal keeps what is verified, asks for the same port, and keeps the nonce") {
  Rig r;
  const Buffer first = r.sent();
  r.hear(r.pcp(first, 0, 600, at("11.0.0.1:5555")));
  r.mapping.handle_verified(r.now, at("11.0.0.1:5555"), true);
  Buffer again;
  while (again.size() != 60) {
    r.step();
    again = r.sent();
    if (again.size() == 24) r.hear(r.pcp(again));
  }
  CHECK(std::equal(again.begin() + 24, again.begin() + 42, first.begin() + 24));  // nonce, protocol, inner port
  CHECK(to_hex(again).substr(84) == "15b300000000000000000000ffff0b000001");
  r.hear(r.pcp(again, 8, 30));  // no resources: not now, but the mapping is there
  CHECK(r.mapping.mapping());
  r.hear(r.pcp(again, 0, 600, at("11.0.0.1:5555")));
  CHECK(r.mapping.mapping()->verified);
  CHECK(r.mapping.mapping()->expires == r.now + 600s);
  // Another port, in a later one: what was verified is no more.
  do {
    r.step();
    again = r.sent();
    if (again.size() == 24) r.hear(r.pcp(again));
  } while (again.size() != 60);
  r.hear(r.pcp(again, 0, 600, at("11.0.0.1:5556")));
  CHECK_FALSE(r.mapping.mapping()->verified);
  CHECK(r.report(kPcp).state == State::unverified);
}

TEST_CASE("a restart of the gateway is found out by a check, and the mapping made anew within 5 s") {
  for (const bool pcp : {true, false}) {
    INFO((pcp ? "pcp" : "nat-pmp"));
    Rig r;
    pcp ? r.map_by_pcp() : r.map_by_nat_pmp();
    r.mapping.handle_verified(r.now, at("11.0.0.1:9470"), true);
    CHECK(r.step() == 5min);
    Buffer check = r.sent();
    CHECK(check.size() == (pcp ? 24 : 2));
    r.hear(pcp ? r.pcp(check) : r.pmp_address());
    CHECK(r.step() == 5min);  // nothing has changed
    check = r.sent();
    CHECK(check.size() == (pcp ? 24 : 2));
    r.epoch = 3;
    r.hear(pcp ? r.pcp(check) : r.pmp_address());
    CHECK(r.step() <= 5s);
    const Buffer again = r.sent();
    CHECK(again.size() == (pcp ? 60 : 12));
    r.hear(pcp ? r.pcp(again) : r.pmp_map());
    REQUIRE(r.mapping.mapping());
    CHECK_FALSE(r.mapping.mapping()->verified);
  }
}

TEST_CASE("what a gateway announces of itself is heard without having asked") {
  Rig r;
  r.map_by_pcp();
  r.epoch = 0;
  r.hear(r.pcp(pcp::encode_announce(ip("192.168.0.2"))));
  CHECK(r.step() <= 5s);
  CHECK(r.sent().size() == 60);

  Rig moved;
  moved.map_by_nat_pmp();
  moved.hear(moved.pmp_address("11.0.0.2"));  // another outer address is as good as a restart
  CHECK(moved.step() <= 5s);
  CHECK(moved.sent().size() == 12);
  moved.hear(moved.pmp_map());
  CHECK(moved.mapping.mapping()->external == at("11.0.0.2:9470"));
  moved.hear(moved.pmp_address("10.0.0.2"));
  CHECK_FALSE(moved.mapping.mapping());
  CHECK(moved.report(kPmp) == MappingReport{State::refused, Error::not_public});
}

TEST_CASE("while the gateway is away a check goes on, and a restart is met about a minute after its return") {
  for (const bool pcp : {true, false}) {
    INFO((pcp ? "pcp" : "nat-pmp"));
    Rig r;
    pcp ? r.map_by_pcp() : r.map_by_nat_pmp();
    r.mapping.check(r.now);
    const Instant away = r.now;
    std::size_t packets = 0;
    while (r.now < away + 20min) {
      packets += r.count_sent();
      r.step();
    }
    CHECK(packets <= 30);
    CHECK(r.now <= away + 20min + 71s);
    const Buffer check = r.sent();
    REQUIRE(check.size() == (pcp ? 24 : 2));
    r.epoch = 10;
    r.hear(pcp ? r.pcp(check) : r.pmp_address());
    CHECK(r.step() <= 5s);
    CHECK(r.sent().size() == (pcp ? 60 : 12));
  }
}

TEST_CASE("UPnP tries other outer ports when the wanted one is taken, four in all") {
  Rig r;
  UpnpMap map = r.silent_until_upnp();
  for (int i = 0; i < 3; ++i) {
    r.mapping.handle_upnp(r.now, {map.id, 718, {}, {}});
    const auto next = std::get<UpnpMap>(r.mapping.poll_request().value());
    CHECK((next.id != map.id && next.wanted_port >= 49152));
    map = next;
  }
  r.mapping.handle_upnp(r.now, {map.id, 718, {}, {}});
  CHECK(r.report(kUpnp) == MappingReport{State::failed, Error::conflict});
}

TEST_CASE("a lease of UPnP is renewed in time, also one for good; a busy gateway is asked again before it ends") {
  Rig r;
  UpnpMap map = r.silent_until_upnp();
  r.mapping.handle_upnp(r.now, {map.id, 0, at("11.0.0.1:6000"), 0s});
  REQUIRE(r.mapping.mapping());
  CHECK(r.mapping.mapping()->lifetime == 1h);
  const Instant granted = r.now;
  r.step();
  CHECK((r.now >= granted + 30min && r.now <= granted + 38min));
  map = std::get<UpnpMap>(r.mapping.poll_request().value());
  CHECK(map.wanted_port == 6000);
  r.mapping.handle_upnp(r.now, {map.id, kUpnpNoGateway, {}, {}});
  CHECK(r.mapping.mapping());
  r.step();
  CHECK(r.now < granted + 1h);
  map = std::get<UpnpMap>(r.mapping.poll_request().value());
  r.mapping.handle_upnp(r.now, {map.id, 0, at("11.0.0.1:6000"), 1h});
  CHECK(r.mapping.mapping()->expires == r.now + 1h);
}

TEST_CASE("release deletes what is mapped, in each protocol, and says nothing afterwards") {
  Rig pcp;
  pcp.map_by_pcp();
  pcp.mapping.release(pcp.now);
  CHECK(to_hex(pcp.sent()).substr(0, 16) == "0201000000000000");
  Rig pmp;
  pmp.map_by_nat_pmp();
  pmp.mapping.release(pmp.now);
  CHECK(to_hex(pmp.sent()) == "0001000024fe000000000000");
  Rig upnp;
  const UpnpMap map = upnp.silent_until_upnp();
  upnp.sent();
  upnp.mapping.release(upnp.now);
  CHECK_FALSE(upnp.mapping.poll_request());
  upnp.mapping.handle_upnp(upnp.now, {map.id, 0, at("11.0.0.1:6000"), 1h});  // too late
  CHECK(std::get<UpnpUnmap>(upnp.mapping.poll_request().value()).outer_port == 6000);
  for (Rig* r : {&pcp, &pmp, &upnp}) {
    CHECK_FALSE(r->mapping.mapping());
    CHECK(r->mapping.poll_timeout() == kNever);
    r->plug("192.168.7.1");
    r->mapping.check(r->now);
    CHECK_FALSE(r->mapping.poll_transmit());
    CHECK(r->mapping.poll_timeout() == kNever);
  }
}

TEST_CASE("another gateway begins anew with another nonce; the same one changes nothing; none ends it") {
  Rig r;
  const Buffer first = r.sent();
  r.hear(r.pcp(first));
  r.plug();
  CHECK(r.mapping.mapping());
  r.plug("192.168.0.1", "192.168.0.9");
  CHECK_FALSE(r.mapping.mapping());
  CHECK(r.report(kPcp) == MappingReport{});
  const Buffer second = r.sent();
  CHECK(to_hex(second).substr(48, 24) != to_hex(first).substr(48, 24));
  r.mapping.handle_gateway(r.now, std::nullopt);
  CHECK(r.mapping.poll_timeout() == kNever);
  r.hear(r.pcp(second));
  CHECK_FALSE(r.mapping.mapping());
  r.plug("192.168.0.1", "192.168.0.9");  // it was away for a moment, and has our lease still
  CHECK(to_hex(r.sent()).substr(48, 24) == to_hex(second).substr(48, 24));
}

TEST_CASE("a restart that a renewal of NAT-PMP tells of makes it ask for the outer address, which may be another") {
  Rig r;
  r.map_by_nat_pmp();
  r.mapping.handle_verified(r.now, at("11.0.0.1:9470"), true);
  Buffer sent;
  while (sent.size() != 12) {
    r.step();
    sent = r.sent();
    if (sent.size() == 2) r.hear(r.pmp_address());
  }
  r.epoch = 2;
  r.hear(r.pmp_map());
  CHECK_FALSE(r.mapping.mapping()->verified);
  CHECK(to_hex(r.sent()) == "0000");
  r.hear(r.pmp_address("11.0.0.2"));
  CHECK(r.step() <= 5s);
  CHECK(r.sent().size() == 12);
  r.hear(r.pmp_map());
  CHECK(r.mapping.mapping()->external == at("11.0.0.2:9470"));
}

TEST_CASE("what UPnP did at the gateway of before is nobody's at the next") {
  Rig r;
  const UpnpMap map = r.silent_until_upnp();
  r.plug("192.168.0.1", "192.168.0.9");
  r.mapping.handle_upnp(r.now, {map.id, 0, at("11.0.0.1:6000"), 1h});
  CHECK_FALSE(r.mapping.mapping());
  CHECK_FALSE(r.mapping.poll_request());  // nor deleted there: it may be somebody else's
}

TEST_CASE("a check where nothing is mapped tries at once; a verified mapping makes the next wait a short one again") {
  Rig r{false};
  const auto wait = [&] {
    r.sent();
    r.hear(r.pcp(pcp::encode_map({ip("192.168.0.2"), {}, kPort, {ip("0.0.0.0"), 0}, 1}), 1));
    r.hear(r.pmp_header(128, 2));
    return r.mapping.poll_timeout() - r.now;
  };
  CHECK(wait() <= 33s);
  r.mapping.check(r.now);
  CHECK(wait() >= 1min);
  r.mapping.check(r.now);
  CHECK(wait() >= 2min);
  r.mapping.check(r.now);
  r.map_by_pcp();
  r.mapping.handle_verified(r.now, at("11.0.0.1:9470"), true);
  r.mapping.handle_verified(r.now, at("11.0.0.1:9470"), false);
  r.hear(r.pmp_header(128, 2));
  CHECK(r.mapping.poll_timeout() - r.now <= 33s);
}

}  // namespace
}  // namespace pw::nat
