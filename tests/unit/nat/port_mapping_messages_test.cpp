// PCP and NAT-PMP on the wire, by the layouts of RFC 6887 and RFC 6886; and which addresses are public.
#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"
#include "nat/nat_pmp.hpp"
#include "nat/pcp.hpp"

namespace pw::nat {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }
Buffer hex(std::string_view text) { return from_hex(text).value(); }

// A response to MAP: header with lifetime 7200 and epoch 100, nonce 01…0c, UDP, port 9470 to 11.0.0.1:9471.
const std::string kMapResponse =
    "02810000"
    "00001c20"
    "00000064"
    "000000000000000000000000"
    "0102030405060708090a0b0c"
    "11000000"
    "24fe24ff"
    "00000000000000000000ffff0b000001";

AnswerFault pcp_fault(std::string text) {
  const auto r = pcp::decode(hex(text));
  REQUIRE_FALSE(r);
  return r.error();
}
AnswerFault pmp_fault(std::string text) {
  const auto r = nat_pmp::decode(hex(text));
  REQUIRE_FALSE(r);
  return r.error();
}

TEST_CASE("a PCP request has the layout of RFC 6887 figures 2 and 9") {
  CHECK(to_hex(pcp::encode_announce(ip("192.168.0.2"))) == "020000000000000000000000000000000000ffffc0a80002");
  pcp::Map map{ip("192.168.0.2"), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 9470, at("0.0.0.0:9471"), 7200};
  CHECK(to_hex(pcp::encode_map(map)) ==
        "0201000000001c20"
        "00000000000000000000ffffc0a80002"
        "0102030405060708090a0b0c"
        "1100000024fe24ff"
        "00000000000000000000ffff00000000");
  map.own = ip("2001:db8::2");
  map.wanted = {ip("::"), 0};
  CHECK(to_hex(pcp::encode_map(map)).substr(16, 32) == "20010db8000000000000000000000002");
  CHECK(to_hex(pcp::encode_map(map)).substr(80) == "24fe0000" + std::string(32, '0'));
}

TEST_CASE("a PCP response is read field by field") {
  const auto map = pcp::decode(hex(kMapResponse));
  REQUIRE(map);
  CHECK(map->kind == pcp::Response::Kind::map);
  CHECK(map->error == MappingError::none);
  CHECK((map->lifetime == 7200 && map->epoch == 100));
  CHECK(map->nonce == pcp::Nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  CHECK((map->udp && map->inner_port == 9470));
  CHECK(map->external == at("11.0.0.1:9471"));

  std::string six = kMapResponse;
  six.replace(88, 32, "20010db8000000000000000000000007");
  CHECK(pcp::decode(hex(six))->external == at("[2001:db8::7]:9471"));
  const auto announce = pcp::decode(hex("028000000000000000000007000000000000000000000000"));
  REQUIRE(announce);
  CHECK((announce->kind == pcp::Response::Kind::announce && announce->epoch == 7));
}

TEST_CASE("each result code of PCP is an error that says what it means") {
  const std::array errors{MappingError::none,           MappingError::unsupported_version, MappingError::not_authorised,
                          MappingError::malformed,      MappingError::unsupported,         MappingError::unsupported,
                          MappingError::malformed,      MappingError::network_failure,     MappingError::no_resources,
                          MappingError::unsupported,    MappingError::no_resources,        MappingError::conflict,
                          MappingError::address_mismatch, MappingError::other};
  for (std::size_t code = 0; code < errors.size(); ++code) {
    Buffer bytes = hex(kMapResponse);
    bytes[3] = static_cast<std::uint8_t>(code);
    INFO(code);
    CHECK(pcp::decode(bytes)->error == errors[code]);
  }
  for (std::size_t i = 0; i < enum_count<MappingError>(); ++i)
    CHECK_FALSE(describe(static_cast<MappingError>(i)).empty());
}

TEST_CASE("a gateway of another version is recognised in the layout of either protocol") {
  // RFC 6887 appendix A: what a NAT-PMP gateway answers to PCP.
  CHECK(pcp::decode(hex("0081000100000064"))->kind == pcp::Response::Kind::other_version);
  CHECK(pcp::decode(hex("01810001"))->error == MappingError::unsupported_version);
  // What a PCP server answers to NAT-PMP.
  CHECK(nat_pmp::decode(hex("0280000100000000" + std::string(32, '0')))->error == MappingError::unsupported_version);
}

TEST_CASE("PCP that is cut, too long, a request or of another opcode is refused by name") {
  for (std::size_t size = 0; size < 60; ++size) {
    INFO(size);
    CHECK(pcp_fault(kMapResponse.substr(0, 2 * size)) == AnswerFault::bad_length);
  }
  CHECK(pcp_fault(kMapResponse + "00") == AnswerFault::bad_length);
  CHECK(pcp_fault(kMapResponse + std::string(2 * 1044, '0')) == AnswerFault::bad_length);
  CHECK(pcp::decode(hex(kMapResponse + std::string(2 * 1040, '0'))));
  std::string other = kMapResponse;
  other.replace(2, 2, "01");
  CHECK(pcp_fault(other) == AnswerFault::not_an_answer);
  other.replace(2, 2, "82");
  CHECK(pcp_fault(other) == AnswerFault::wrong_opcode);
  other = kMapResponse;
  other.replace(0, 2, "03");
  CHECK(pcp_fault(other) == AnswerFault::wrong_version);
}

TEST_CASE("NAT-PMP messages have the layouts of RFC 6886 sections 3.2 and 3.3") {
  CHECK(to_hex(nat_pmp::encode_address_request()) == "0000");
  CHECK(to_hex(nat_pmp::encode_map(9470, 9471, 7200)) == "0001000024fe24ff00001c20");

  const auto address = nat_pmp::decode(hex("00800000000000640b000001"));
  REQUIRE(address);
  CHECK((address->kind == nat_pmp::Response::Kind::address && address->epoch == 100));
  CHECK(address->address == ip("11.0.0.1"));
  const auto map = nat_pmp::decode(hex("008100000000006424fe24ff00001c20"));
  REQUIRE(map);
  CHECK((map->kind == nat_pmp::Response::Kind::map && map->inner_port == 9470 && map->outer_port == 9471));
  CHECK(map->lifetime == 7200);
}

TEST_CASE("NAT-PMP's errors need no more than a header; what is cut or no answer is refused by name") {
  const std::array errors{MappingError::unsupported_version, MappingError::not_authorised, MappingError::network_failure,
                          MappingError::no_resources,        MappingError::unsupported,    MappingError::other};
  for (std::size_t i = 0; i < errors.size(); ++i) {
    Buffer bytes = hex("0081000000000064");
    bytes[3] = static_cast<std::uint8_t>(i + 1);
    CHECK(nat_pmp::decode(bytes)->error == errors[i]);
  }
  const std::string map = "008100000000006424fe24ff00001c20";
  for (std::size_t size = 0; size < 16; ++size) CHECK(pmp_fault(map.substr(0, 2 * size)) == AnswerFault::bad_length);
  CHECK(pmp_fault(map + "00") == AnswerFault::bad_length);
  CHECK(pmp_fault("00800000000000640b0000") == AnswerFault::bad_length);
  CHECK(pmp_fault("000000000000006400000000") == AnswerFault::not_an_answer);
  CHECK(pmp_fault("008200000000006400000000") == AnswerFault::wrong_opcode);
  CHECK(pmp_fault("028000000000006400000000") == AnswerFault::wrong_version);
}

TEST_CASE("no bytes whatever bring a decoder down") {
  Rng rng{3};
  for (int i = 0; i < 20000; ++i) {
    Buffer bytes = rng.chance(0.5) ? hex(kMapResponse) : Buffer(rng.below(80));
    for (std::uint64_t n = rng.below(4); n > 0 && !bytes.empty(); --n)
      bytes[rng.below(bytes.size())] = static_cast<std::uint8_t>(rng.next());
    if (rng.chance(0.3)) bytes.resize(rng.below(bytes.size() + 1));
    bytes.shrink_to_fit();
    static_cast<void>(pcp::decode(bytes));
    static_cast<void>(nat_pmp::decode(bytes));
  }
}

constexpr Instant kThen{std::chrono::hours{5}};

TEST_CASE("PCP: a gateway's epoch may drift by a sixteenth and two seconds, and go back by one") {
  const EpochSample before{kThen, 1000};
  const auto restarted = [&](Duration own, std::uint32_t epoch) { return pcp::restarted(before, {kThen + own, epoch}); };
  CHECK_FALSE(restarted(0s, 1000));
  CHECK_FALSE(restarted(0s, 999));
  CHECK(restarted(0s, 998));
  CHECK_FALSE(restarted(160s, 1160));
  CHECK_FALSE(restarted(160s, 1148));  // 148 + 2 ≥ 150
  CHECK(restarted(160s, 1147));
  CHECK_FALSE(restarted(148s, 1160));  // 150 ≥ 160 - 10
  CHECK(restarted(147s, 1160));        // its clock ran ahead: it is not the gateway of before
  CHECK(restarted(3600s, 5));
}

TEST_CASE("NAT-PMP: a gateway's epoch may lag by an eighth and two seconds, and run ahead") {
  const EpochSample before{kThen, 1000};
  const auto restarted = [&](Duration own, std::uint32_t epoch) {
    return nat_pmp::restarted(before, {kThen + own, epoch});
  };
  CHECK_FALSE(restarted(0s, 998));
  CHECK(restarted(0s, 997));
  CHECK_FALSE(restarted(80s, 1068));
  CHECK(restarted(80s, 1067));
  CHECK_FALSE(restarted(80s, 99999));
  CHECK(restarted(3600s, 5));
}

TEST_CASE("public is what strangers could send to") {
  for (const char* text : {"0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.9.9",
                           "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1",
                           "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1",
                           "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1",
                           "3fff::1", "64:ff9b::1"}) {
    INFO(text);
    CHECK_FALSE(is_public(ip(text)));
  }
  for (const char* text : {"1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.1.1", "172.32.0.1",
                           "192.0.1.1", "192.167.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.255", "2001:db7::1",
                           "2a00::1", "2606:4700::1111"}) {
    INFO(text);
    CHECK(is_public(ip(text)));
  }
}

}  // namespace
}  // namespace pw::nat
