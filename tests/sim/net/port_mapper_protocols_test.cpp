// NAT-PMP (RFC 6886) and PCP (RFC 6887) as their clients see them.
#include "sim/net/port_mapper_probe.hpp"

namespace pw::net {
namespace {

PortMapperOptions both() {
  PortMapperOptions o;
  o.nat_pmp = o.pcp = true;
  return o;
}

TEST_CASE("NAT-PMP tells the external address, or that there is none") {
  MapperProbe p{both()};
  p.now += 5s;
  CHECK(to_hex(*p.ask({0, 0})) == "00800000000000050b000001");
  p.translates = false;
  CHECK(to_hex(*p.ask({0, 0})) == "008000030000000500000000");
  CHECK(read_pmp(p.ask(pmp_map(1, 5000, 0, 100))).result == 3);
}

TEST_CASE("NAT-PMP maps UDP and TCP apart, for the lifetime asked for, at most the longest") {
  MapperProbe p{both()};
  PmpReply r = read_pmp(p.ask(pmp_map(1, 5000, 6000, 100)));
  CHECK((r.version == 0 && r.opcode == 129 && r.result == 0 && r.inner == 5000 && r.outer == 6000 && r.lifetime == 100));
  CHECK(p.reaches(6000) == "192.168.0.2:5000");
  p.nat.protocol = Protocol::tcp;
  CHECK(p.reaches(6000) == "no_mapping");
  r = read_pmp(p.ask(pmp_map(2, 5000, 6000, 86400)));
  CHECK((r.opcode == 130 && r.result == 0 && r.outer == 6000 && r.lifetime == 7200));
  CHECK(p.reaches(6000) == "192.168.0.2:5000");
  p.now += 7200s;
  CHECK(p.reaches(6000) == "no_mapping");
}

TEST_CASE("NAT-PMP gives another port when the wanted one is taken, and the same again on renewal") {
  MapperProbe p{both()};
  CHECK(read_pmp(p.ask(pmp_map(1, 5000, 6000, 100), "192.168.0.3:1")).outer == 6000);
  CHECK(read_pmp(p.ask(pmp_map(1, 5000, 6000, 100))).outer == 6001);
  CHECK(read_pmp(p.ask(pmp_map(1, 5000, 7000, 100))).outer == 6001);
  CHECK(read_pmp(p.ask(pmp_map(1, 5007, 0, 100))).outer == 5007);
}

TEST_CASE("a lying mapper keeps to the port that it told, whatever a renewal asks for") {
  for (const MapperLie lie : {MapperLie::maps_nothing, MapperLie::wrong_port}) {
    PortMapperOptions o = both();
    o.lie = lie;
    MapperProbe p{o};
    CHECK(read_pmp(p.ask(pmp_map(1, 5000, 6000, 100))).outer == 6000);
    CHECK(read_pmp(p.ask(pmp_map(1, 5000, 7000, 100))).outer == 6000);
  }
}

TEST_CASE("NAT-PMP deletes one mapping, or all of a host and protocol, and what is not there with success") {
  MapperProbe p{both()};
  for (std::uint16_t port = 5000; port < 5003; ++port) p.ask(pmp_map(1, port, port, 100));
  p.ask(pmp_map(2, 5000, 5000, 100));
  p.ask(pmp_map(1, 5003, 5003, 100), "192.168.0.3:1");
  PmpReply r = read_pmp(p.ask(pmp_map(1, 5000, 0, 0)));
  CHECK((r.result == 0 && r.inner == 5000 && r.outer == 0 && r.lifetime == 0));
  CHECK(p.reaches(5000) == "no_mapping");
  CHECK(p.reaches(5001) == "192.168.0.2:5001");
  CHECK(read_pmp(p.ask(pmp_map(1, 5000, 0, 0))).result == 0);
  CHECK(read_pmp(p.ask(pmp_map(1, 5003, 0, 0))).result == 0);  // another host's
  CHECK(read_pmp(p.ask(pmp_map(1, 0, 0, 0))).result == 0);
  CHECK(p.reaches(5001) == "no_mapping");
  CHECK(p.reaches(5003) == "192.168.0.3:5003");
  CHECK(p.nat.box.mappings(p.now) == 2);  // that and the one of TCP
}

TEST_CASE("NAT-PMP returns a request of an unknown opcode, and is silent about cut ones and IPv6") {
  MapperProbe p{both()};
  CHECK(to_hex(*p.ask({0, 77, 1, 2, 3, 4, 5, 6, 7, 8})) == "00cd000500000000" "0708");
  CHECK_FALSE(p.ask({0, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0}));
  CHECK_FALSE(p.ask({0, 0}, "[2001:db8::2]:1"));
  CHECK_FALSE(p.ask({0, 128}));
  CHECK_FALSE(p.ask({0}));
  CHECK_FALSE(p.ask({}));
  CHECK(read_pmp(p.ask(pmp_map(1, 0, 5000, 100))).result == 2);
}

TEST_CASE("PCP announces itself") {
  MapperProbe p{both()};
  p.now += 9s;
  PcpMap announce;
  announce.opcode = 0;
  const PcpReply r = read_pcp(p.ask(announce.bytes()));
  CHECK((r.version == 2 && r.opcode == 128 && r.result == 0 && r.epoch == 9 && r.size == 24 && r.lifetime == 0));
}

TEST_CASE("PCP maps with nonce, lifetime and external endpoint in the answer") {
  MapperProbe p{both()};
  PcpMap map;
  map.outer = 6000;
  PcpReply r = read_pcp(p.ask(map.bytes()));
  CHECK((r.opcode == 129 && r.result == 0 && r.lifetime == 3600 && r.nonce == 7 && r.protocol == 17 && r.inner == 5000));
  CHECK((r.outer == 6000 && r.address == "11.0.0.1" && r.size == 60));
  CHECK(p.reaches(6000) == "192.168.0.2:5000");
  p.nat.protocol = Protocol::tcp;
  map.protocol = 6;
  map.lifetime = 100000;
  r = read_pcp(p.ask(map.bytes()));
  CHECK((r.lifetime == 7200 && r.protocol == 6));
  CHECK(p.reaches(6000) == "192.168.0.2:5000");
  map.inner = 5001;
  map.lifetime = 1;
  CHECK(read_pcp(p.ask(map.bytes())).lifetime == 120);
}

TEST_CASE("PCP lets only the nonce of a mapping renew or delete it") {
  MapperProbe p{both()};
  PcpMap map;
  map.outer = 6000;
  p.ask(map.bytes());
  PcpMap other = map;
  other.nonce = 8;
  CHECK(read_pcp(p.ask(other.bytes())).result == 2);
  other.lifetime = 0;
  CHECK(read_pcp(p.ask(other.bytes())).result == 2);
  CHECK(p.reaches(6000) == "192.168.0.2:5000");
  p.now += 3000s;
  map.outer = 6001;
  CHECK(read_pcp(p.ask(map.bytes())).outer == 6000);
  p.now += 3000s;
  CHECK(p.reaches(6000) == "192.168.0.2:5000");
  map.lifetime = 0;
  PcpReply r = read_pcp(p.ask(map.bytes()));
  CHECK((r.result == 0 && r.lifetime == 0));
  CHECK(p.reaches(6000) == "no_mapping");
  CHECK(read_pcp(p.ask(map.bytes())).result == 0);
}

TEST_CASE("PCP with PREFER_FAILURE gives the endpoint asked for or none") {
  MapperProbe p{both()};
  p.nat.out("192.168.0.9:6000", "9.0.0.1:80");
  PcpMap map;
  map.options = {2, 0, 0, 0};
  map.outer = 6000;
  PcpReply r = read_pcp(p.ask(map.bytes()));
  CHECK((r.result == 11 && r.lifetime == 30));
  CHECK(p.nat.box.mappings(p.now) == 1);
  map.outer = 6001;
  CHECK(read_pcp(p.ask(map.bytes())).outer == 6001);
  map.inner = 5001;
  map.outer = 6002;
  map.address = "11.0.0.2";
  CHECK(read_pcp(p.ask(map.bytes())).result == 11);
  map.address = "11.0.0.1";
  CHECK(read_pcp(p.ask(map.bytes())).result == 0);
  map.inner = 5002;
  map.address = "0.0.0.0";
  map.outer = 6003;
  CHECK(read_pcp(p.ask(map.bytes())).result == 0);
  map.inner = 5003;
  map.outer = 0;
  CHECK(read_pcp(p.ask(map.bytes())).result == 6);
  map.options.clear();
  map.outer = 6000;
  CHECK(read_pcp(p.ask(map.bytes())).outer == 6004);  // without it: another
}

TEST_CASE("PCP tells what is wrong with a request, in an answer that carries it") {
  MapperProbe p{both()};
  const auto result = [&](const PcpMap& map) { return read_pcp(p.ask(map.bytes())).result; };
  PcpMap map;
  map.client = "192.168.0.3";
  CHECK(result(map) == 12);
  map = {};
  map.opcode = 2;  // PEER
  const PcpReply peer = read_pcp(p.ask(map.bytes()));
  CHECK((peer.result == 4 && peer.opcode == 130 && peer.lifetime == 1800 && peer.nonce == 7 && peer.size == 60));
  map = {};
  map.protocol = 0;
  CHECK(result(map) == 3);
  map.inner = 0;
  CHECK(result(map) == 9);
  map = {};
  map.protocol = 132;
  CHECK(result(map) == 9);
  map = {};
  map.inner = 0;
  CHECK(result(map) == 9);
  map = {};
  map.options = {3, 0, 0, 4, 1, 2, 3, 4};  // FILTER
  CHECK(result(map) == 5);
  map.options = {2, 0, 0, 4, 1, 2, 3, 4};
  CHECK(result(map) == 6);
  map.options = {2, 0, 0, 0, 2, 0, 0, 0};
  map.outer = 6000;
  CHECK(result(map) == 6);
  map.options = {200, 0, 0, 8, 1, 2, 3, 4};  // longer than there is
  CHECK(result(map) == 6);
  CHECK(p.nat.box.mappings(p.now) == 0);
  map.options = {200, 0, 0, 3, 1, 2, 3, 0};  // may be ignored
  CHECK(result(map) == 0);

  Buffer cut = PcpMap{}.bytes();
  cut.resize(56);
  CHECK(read_pcp(p.ask(cut)).result == 3);
  cut.resize(22);
  const PcpReply padded = read_pcp(p.ask(cut));
  CHECK((padded.result == 3 && padded.size == 24));
  cut = PcpMap{}.bytes();
  cut.resize(1104);
  const PcpReply longest = read_pcp(p.ask(cut));
  CHECK((longest.result == 3 && longest.size == 1100));
  cut.resize(61);
  CHECK((read_pcp(p.ask(cut)).result == 3 && read_pcp(p.ask(cut)).size == 64));
}

TEST_CASE("PCP without a NAT, and for IPv6, answers with the inner endpoint itself and maps nothing") {
  MapperProbe p{both()};
  PcpMap map;
  map.client = "2001:db8::2";
  const PcpReply six = read_pcp(p.ask(map.bytes(), "[2001:db8::2]:1"));
  CHECK((six.result == 0 && six.outer == 5000 && six.address == "2001:db8::2"));
  p.translates = false;
  const PcpReply four = read_pcp(p.ask(PcpMap{}.bytes()));
  CHECK((four.result == 0 && four.outer == 5000 && four.address == "192.168.0.2"));
  CHECK(p.nat.box.mappings(p.now) == 0);
}

}  // namespace
}  // namespace pw::net
