// PortMapping with a gateway whose answers the test writes: order of protocols, timing, refusals, bad input.
#include "nat/port_mapping.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

namespace pw::nat {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

const SocketAddress kGateway{IpAddress::v4({192, 168, 0, 1}), 5351};
constexpr std::uint16_t kPort = 9470;

struct Rig {
  Instant now{std::chrono::hours{1}};
  PortMapping mapping;
  std::uint32_t epoch = 1000;

  explicit Rig(bool upnp = true) : mapping{{.port = kPort, .upnp = upnp}, Rng{1}} { plug(); }
  void plug(std::string_view gateway = "192.168.0.1", std::string_view own = "192.168.0.2") {
    mapping.handle_gateway(now, Gateway{ip(gateway), ip(own)});
  }
  /// The last thing that was sent; empty: nothing was.
  Buffer sent() {
    Buffer last;
    while (auto t = mapping.poll_transmit()) {
      CHECK(t->to == kGateway);
      last = t->bytes;
    }
    return last;
  }
  std::size_t count_sent() {
    std::size_t n = 0;
    while (mapping.poll_transmit()) ++n;
    return n;
  }
  void pass(Duration d) {
    now += d;
    epoch += static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
  }
  /// To the next thing that is due, which happens.
  Duration step() {
    const Instant due = mapping.poll_timeout();
    REQUIRE(due != kNever);
    const Duration d = std::max(due - now, Duration::zero());
    pass(d);
    mapping.handle_timeout(now);
    return d;
  }
  void hear(const Buffer& bytes, const SocketAddress& from = kGateway) { mapping.handle_datagram(now, from, bytes); }

  /// The answer of a PCP server to that request.
  Buffer pcp(Buffer request, std::uint8_t result = 0, std::uint32_t lifetime = 7200,
             const SocketAddress& external = SocketAddress::parse("11.0.0.1:9470").value()) const {
    REQUIRE(request.size() >= 24);
    request[1] |= 0x80;
    request[3] = result;
    Buffer head;
    ByteWriter w{head};
    w.u32(lifetime);
    w.u32(epoch);
    std::copy(head.begin(), head.end(), request.begin() + 4);
    if (request.size() >= 60 && result == 0) {
      request[42] = static_cast<std::uint8_t>(external.port >> 8);
      request[43] = static_cast<std::uint8_t>(external.port);
      const ByteView ip_bytes = external.ip.bytes();
      std::copy(ip_bytes.begin(), ip_bytes.end(), request.end() - static_cast<std::ptrdiff_t>(ip_bytes.size()));
    }
    return request;
  }
  Buffer pmp_header(std::uint8_t opcode, std::uint16_t result) const {
    Buffer out{0, opcode};
    ByteWriter w{out};
    w.u16(result);
    w.u32(epoch);
    return out;
  }
  Buffer pmp_address(std::string_view address = "11.0.0.1") const {
    Buffer out = pmp_header(128, 0);
    ByteWriter{out}.bytes(ip(address).bytes());
    return out;
  }
  Buffer pmp_map(std::uint16_t outer = kPort, std::uint32_t lifetime = 7200, std::uint16_t inner = kPort) const {
    Buffer out = pmp_header(129, 0);
    ByteWriter w{out};
    w.u16(inner);
    w.u16(outer);
    w.u32(lifetime);
    return out;
  }
  void map_by_pcp() {
    hear(pcp(sent()));
    REQUIRE(mapping.mapping());
    REQUIRE(mapping.mapping()->protocol == MappingProtocol::pcp);
  }
  void map_by_nat_pmp() {
    sent();
    hear(pmp_header(129, 1));
    hear(pmp_address());
    hear(pmp_map());
    REQUIRE(mapping.mapping());
    REQUIRE(mapping.mapping()->protocol == MappingProtocol::nat_pmp);
    sent();
  }
  /// Until UPnP is asked for; nobody answers.
  UpnpMap silent_until_upnp() {
    for (int i = 0; i < 20; ++i) {
      if (auto r = mapping.poll_request()) return std::get<UpnpMap>(*r);
      step();
    }
    FAIL("UPnP was never asked for");
    return {};
  }
  MappingReport report(MappingProtocol p) const { return mapping.report(p); }
};
using State = MappingState;
using Error = MappingError;
constexpr auto kPcp = MappingProtocol::pcp;
constexpr auto kPmp = MappingProtocol::nat_pmp;
constexpr auto kUpnp = MappingProtocol::upnp;

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
}

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

TEST_CASE("who does not sit at the gateway's port 5351 is not heard") {
  Rig r;
  const Buffer request = r.sent();
  r.hear(r.pcp(request), at("192.168.0.3:5351"));
  r.hear(r.pcp(request), at("192.168.0.1:5350"));
  CHECK_FALSE(r.mapping.mapping());
  CHECK(r.mapping.faults(AnswerFault::wrong_source) == 2);
}

TEST_CASE("an answer to something else is not taken for one to the request under way") {
  Rig r;
  const Buffer request = r.sent();
  const auto spoilt = [&](std::size_t index) {
    Buffer bytes = r.pcp(request);
    bytes[index] ^= 1;
    r.hear(bytes);
    CHECK_FALSE(r.mapping.mapping());
  };
  spoilt(24);
  spoilt(35);
  CHECK(r.mapping.faults(AnswerFault::wrong_nonce) == 2);
  spoilt(36);
  spoilt(41);
  CHECK(r.mapping.faults(AnswerFault::wrong_port) == 2);
  r.hear(r.pcp(pcp::encode_announce(ip("192.168.0.2"))));
  spoilt(1);
  CHECK(r.mapping.faults(AnswerFault::wrong_opcode) == 2);
  r.hear(request);
  CHECK(r.mapping.faults(AnswerFault::not_an_answer) == 1);
  r.hear({});
  CHECK(r.mapping.faults(AnswerFault::bad_length) == 1);
  r.hear(r.pcp(request));
  CHECK(r.mapping.mapping());
  r.hear(r.pcp(request));
  CHECK(r.mapping.faults(AnswerFault::unasked) == 1);

  Rig pmp;
  pmp.sent();
  pmp.hear(pmp.pmp_header(129, 1));
  pmp.hear(pmp.pmp_map());
  CHECK(pmp.mapping.faults(AnswerFault::wrong_opcode) == 1);
  pmp.hear(pmp.pmp_address());
  pmp.hear(pmp.pmp_map(kPort, 7200, kPort + 1));
  CHECK(pmp.mapping.faults(AnswerFault::wrong_port) == 1);
  CHECK_FALSE(pmp.mapping.mapping());
}

TEST_CASE("an outer address that is not public is refused in each protocol, and the useless mapping deleted") {
  for (const char* text : {"10.254.254.254", "100.64.0.1", "127.0.0.1", "224.0.0.1", "203.0.113.1", "0.0.0.0"}) {
    INFO(text);
    Rig r;
    const Buffer request = r.sent();
    r.hear(r.pcp(request, 0, 7200, {ip(text), kPort}));
    CHECK(r.report(kPcp) == MappingReport{State::refused, Error::not_public});
    CHECK(r.mapping.faults(AnswerFault::not_public) == 1);
    const Buffer deletion = r.mapping.poll_transmit().value().bytes;
    CHECK(to_hex(deletion).substr(0, 16) == "0201000000000000");  // lifetime 0
    CHECK(std::equal(deletion.begin() + 24, deletion.begin() + 42, request.begin() + 24));
    CHECK(to_hex(r.sent()) == "0000");
    r.hear(r.pmp_address(text));
    CHECK(r.report(kPmp) == MappingReport{State::refused, Error::not_public});
    const auto map = std::get<UpnpMap>(r.mapping.poll_request().value());
    r.mapping.handle_upnp(r.now, {map.id, 0, {ip(text), kPort}, 1h});
    CHECK(r.report(kUpnp) == MappingReport{State::refused, Error::not_public});
    CHECK(r.mapping.faults(AnswerFault::not_public) == 3);
    CHECK_FALSE(r.mapping.mapping());
  }
}

TEST_CASE("port 0 is no mapping; a lifetime beyond reason is cut, one of nothing raised") {
  Rig r;
  r.hear(r.pcp(r.sent(), 0, 7200, {ip("11.0.0.1"), 0}));
  CHECK(r.report(kPcp) == MappingReport{State::failed, Error::bad_port});
  CHECK(r.mapping.faults(AnswerFault::no_port) == 1);

  Rig longest;
  longest.hear(longest.pcp(longest.sent(), 0, 0xffffffff));
  CHECK(longest.mapping.mapping()->lifetime == 24h);
  CHECK(longest.mapping.faults(AnswerFault::long_lifetime) == 1);
  Rig none;
  none.hear(none.pcp(none.sent(), 0, 0));
  CHECK(none.mapping.mapping()->lifetime == 10s);
  CHECK(none.mapping.faults(AnswerFault::short_lifetime) == 1);
}

TEST_CASE("a mapping that does not work from outside is given up for the next protocol, and stays so for a while") {
  Rig r;
  r.map_by_pcp();
  r.mapping.handle_verified(r.now, at("11.0.0.1:9470"), false);
  CHECK_FALSE(r.mapping.mapping());
  CHECK(r.report(kPcp) == MappingReport{State::failed, Error::unreachable});
  CHECK(to_hex(r.mapping.poll_transmit().value().bytes).substr(0, 16) == "0201000000000000");
  CHECK(to_hex(r.sent()) == "0000");
  r.hear(r.pmp_address());
  r.hear(r.pmp_map());
  r.mapping.handle_verified(r.now, at("11.0.0.1:9470"), false);
  auto map = std::get<UpnpMap>(r.mapping.poll_request().value());
  r.mapping.handle_upnp(r.now, {map.id, 0, at("11.0.0.1:9470"), 1h});
  r.mapping.handle_verified(r.now, at("11.0.0.1:9470"), false);
  CHECK(std::get<UpnpUnmap>(r.mapping.poll_request().value()).outer_port == kPort);
  CHECK(r.step() >= 30s);
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
}

TEST_CASE("no bytes whatever from the gateway bring it down or make it send without measure") {
  Rng rng{9};
  for (int round = 0; round < 200; ++round) {
    Rig r;
    Buffer last = r.sent();
    std::size_t sent = 0;
    for (int i = 0; i < 200; ++i) {
      Buffer bytes = last.size() >= 24 ? r.pcp(last, rng.chance(0.5) ? 0 : static_cast<std::uint8_t>(rng.below(14)))
                                       : (rng.chance(0.5) ? r.pmp_address() : r.pmp_map());
      for (std::uint64_t n = rng.below(3); n > 0; --n) bytes[rng.below(bytes.size())] ^= std::uint8_t(rng.next());
      if (rng.chance(0.2)) bytes.resize(rng.below(bytes.size() + 1));
      r.hear(bytes);
      while (auto request = r.mapping.poll_request())
        if (const auto* map = std::get_if<UpnpMap>(&*request))
          r.mapping.handle_upnp(r.now, {map->id, static_cast<int>(rng.below(800)) - 10, at("11.0.0.1:7"), 1h});
      while (auto t = r.mapping.poll_transmit()) {
        last = t->bytes;
        ++sent;
      }
      if (rng.chance(0.3)) r.step();
    }
    REQUIRE(sent < 600);
  }
}

}  // namespace
}  // namespace pw::nat
