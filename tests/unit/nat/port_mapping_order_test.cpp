// PortMapping: which protocol is asked when, and what is done where nobody gives a mapping.
#include "unit/nat/port_mapping_rig.hpp"

namespace pw::nat {
namespace {

TEST_CASE("PCP comes first; a granted mapping is unverified until somebody outside has reached it") {
  Rig r;
  const Buffer request = r.sent();
  REQUIRE(request.size() == 60);
  CHECK((request[0] == 2 && request[1] == 1));
  r.hear(r.pcp(request, 0, 3600, at("11.0.0.1:5555")));
  REQUIRE(r.mapping.mapping());
  CHECK(r.mapping.mapping()->external == at("11.0.0.1:5555"));
  CHECK(r.mapping.mapping()->expires == r.now + 3600s);
  CHECK(r.report(kPcp) == MappingReport{State::unverified, Error::none});
  r.mapping.handle_verified(r.now, at("11.0.0.1:5554"), true);  // a check of another address says nothing
  CHECK_FALSE(r.mapping.mapping()->verified);
  r.mapping.handle_verified(r.now, at("11.0.0.1:5555"), true);
  CHECK(r.mapping.mapping()->verified);
  CHECK(r.report(kPcp).state == State::mapped);
}

TEST_CASE("an answer of version 0 leads to NAT-PMP at once: the outer address, then the mapping") {
  Rig r;
  r.sent();
  r.hear(r.pmp_header(129, 1));
  CHECK(r.report(kPcp) == MappingReport{State::unavailable, Error::unsupported_version});
  CHECK(to_hex(r.sent()) == "0000");
  r.hear(r.pmp_address());
  CHECK(to_hex(r.sent()) == "0001000024fe24fe00001c20");
  r.hear(r.pmp_map(4000));
  REQUIRE(r.mapping.mapping());
  CHECK(r.mapping.mapping()->external == at("11.0.0.1:4000"));
  CHECK(r.report(kPmp).state == State::unverified);
}

TEST_CASE("a silent gateway is asked twice by PCP, five times by NAT-PMP, once by UPnP, and then ever more rarely") {
  Rig r;
  CHECK(r.count_sent() == 1);
  Duration d = r.step();
  CHECK((d >= 2700ms && d <= 3300ms));
  CHECK(r.sent().size() == 60);
  d = r.step();
  CHECK((d >= 4860ms && d <= 7260ms));
  CHECK(r.report(kPcp) == MappingReport{State::unavailable, Error::no_answer});
  CHECK(r.count_sent() == 1);
  for (const Duration wait : {250ms, 500ms, 1000ms, 2000ms}) {
    CHECK(r.step() == wait);
    CHECK(to_hex(r.sent()) == "0000");
  }
  CHECK(r.step() == 4s);
  const auto request = r.mapping.poll_request();
  REQUIRE(request);
  const auto map = std::get<UpnpMap>(*request);
  CHECK((map.own == at("192.168.0.2:9470") && map.wanted_port == kPort));
  CHECK(r.mapping.poll_timeout() == kNever);  // the worker answers always
  r.mapping.handle_upnp(r.now, {map.id, kUpnpNoGateway, {}, {}});
  CHECK(r.report(kUpnp) == MappingReport{State::unavailable, Error::no_answer});
  d = r.step();
  CHECK((d >= 30s && d <= 33s));
  CHECK(r.sent().size() == 60);

  std::size_t packets = 0;
  const Instant begin = r.now;
  while (r.now < begin + 24h) {
    packets += r.count_sent();
    while (const auto again = r.mapping.poll_request())
      r.mapping.handle_upnp(r.now, {std::get<UpnpMap>(*again).id, kUpnpNoGateway, {}, {}});
    r.step();
  }
  CHECK(packets <= 7 * 32);  // 24 rounds of an hour, and those before them
}

TEST_CASE("what PCP refuses is asked of NAT-PMP, then of UPnP; a refusal lasts as long as it says, within reason") {
  Rig r;
  r.hear(r.pcp(r.sent(), 2, 1800));
  CHECK(r.report(kPcp) == MappingReport{State::refused, Error::not_authorised});
  CHECK(to_hex(r.sent()) == "0000");
  r.hear(r.pmp_address());
  r.sent();
  r.hear(r.pmp_header(129, 2));
  CHECK(r.report(kPmp) == MappingReport{State::refused, Error::not_authorised});
  auto map = std::get<UpnpMap>(r.mapping.poll_request().value());
  r.mapping.handle_upnp(r.now, {map.id, 606, {}, {}});
  CHECK(r.report(kUpnp) == MappingReport{State::refused, Error::not_authorised});
  const Instant refused = r.now;
  for (;;) {
    r.step();
    const Buffer asked = r.sent();
    if (asked.size() == 60) break;
    REQUIRE(asked.size() == 2);
    r.hear(r.pmp_header(128, 2));
    map = std::get<UpnpMap>(r.mapping.poll_request().value());
    r.mapping.handle_upnp(r.now, {map.id, 606, {}, {}});
  }
  CHECK(r.now >= refused + 1800s);
  CHECK(r.now <= refused + 3h);
}

TEST_CASE("an IPv6 gateway is asked by PCP alone") {
  Rig r;
  r.plug("fe80::1", "2a00::2");
  CHECK(r.mapping.poll_transmit());  // of IPv4
  const auto t = r.mapping.poll_transmit();
  REQUIRE(t);
  CHECK(t->to == at("[fe80::1]:5351"));
  r.mapping.handle_datagram(r.now, t->to, r.pcp(t->bytes, 0, 7200, at("[2a00::2]:9470")));
  REQUIRE(r.mapping.mapping());
  CHECK(r.mapping.mapping()->external == at("[2a00::2]:9470"));

  Rig silent;
  silent.plug("fe80::1", "2a00::2");
  silent.step();
  silent.step();
  CHECK((silent.report(kPcp).error == Error::no_answer && silent.report(kPmp).error == Error::none));
  CHECK_FALSE(silent.mapping.poll_request());
  while (const auto sent = silent.mapping.poll_transmit()) CHECK(sent->bytes.size() == 60);
}

}  // namespace
}  // namespace pw::nat
