// PortMapping: answers that are no answers, and those that lie.
#include "unit/nat/port_mapping_rig.hpp"

namespace pw::nat {
namespace {

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
