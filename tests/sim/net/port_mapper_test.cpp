// Port mapping as a whole: which protocol answers, UPnP, refusals, lies, limits, and bytes that nobody should send.
#include "sim/net/port_mapper.hpp"

#include "sim/net/port_mapper_probe.hpp"

namespace pw::net {
namespace {

PortMapperOptions all() {
  PortMapperOptions o;
  o.nat_pmp = o.pcp = o.upnp = true;
  return o;
}
const Buffer kPmpAddress{0, 0};

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
std::string error(const Status& s) { return s ? "" : s.error().detail; }

TEST_CASE("what is switched off is silent; what knows one protocol refuses the version of the other") {
  MapperProbe none{{}};
  CHECK_FALSE(none.ask(kPmpAddress));
  CHECK_FALSE(none.ask(PcpMap{}.bytes()));
  CHECK_FALSE(none.mapper.external_address(none.box()));
  CHECK_FALSE(none.mapper.add_mapping(none.now, ip("192.168.0.2"), 1, 1, Protocol::udp, 1h, none.box()));

  PortMapperOptions o;
  o.nat_pmp = true;
  MapperProbe pmp{o};
  const PmpReply to_pcp = read_pmp(pmp.ask(PcpMap{}.bytes()));
  CHECK((to_pcp.version == 0 && to_pcp.opcode == 129 && to_pcp.result == 1));
  o = {};
  o.pcp = true;
  MapperProbe pcp{o};
  // Where a client of NAT-PMP looks for its result, it finds "unsupported version" too.
  const PmpReply to_pmp = read_pmp(pcp.ask(kPmpAddress));
  CHECK((to_pmp.version == 2 && to_pmp.opcode == 128 && to_pmp.result == 1));
  MapperProbe both{all()};
  CHECK(read_pmp(both.ask(kPmpAddress)).result == 0);
  CHECK(read_pcp(both.ask(PcpMap{}.bytes())).result == 0);
  PcpMap future;
  future.version = 3;
  CHECK(read_pcp(both.ask(future.bytes())).result == 1);
}

TEST_CASE("no bytes whatever are answered with a response to a response, or bring anything down") {
  Rng rng{5};
  for (const bool translates : {true, false}) {
    MapperProbe p{all()};
    p.translates = translates;
    for (int i = 0; i < 20000; ++i) {
      Buffer request;
      if (rng.chance(0.5)) {
        PcpMap map;
        map.options.resize(rng.below(12));
        rng.fill(map.options);
        request = rng.chance(0.5) ? map.bytes() : pmp_map(static_cast<std::uint8_t>(rng.below(4)), 5, 5, 5);
        for (std::uint64_t n = rng.below(3); n > 0; --n) request[rng.below(request.size())] ^= std::uint8_t(rng.next());
        if (rng.chance(0.3)) request.resize(rng.below(request.size() + 1));
      } else {
        request.resize(rng.below(1300));
        rng.fill(request);
        if (!request.empty() && rng.chance(0.8)) request[0] = rng.chance(0.5) ? 2 : 0;
      }
      const auto reply = p.ask(Buffer{request});  // of exactly its size: a sanitizer sees a read behind it
      if (request.size() < 2 || request[1] >= 128) {
        REQUIRE_FALSE(reply);
      } else if (reply) {
        REQUIRE(reply->size() >= 8);
        REQUIRE(reply->size() <= 1300);
        REQUIRE((*reply)[1] == (request[1] | 128));
      }
    }
  }
}

TEST_CASE("UPnP maps exactly the port that was asked for, for good or for a time, and unmaps it") {
  MapperProbe p{all()};
  CHECK(p.mapper.external_address(p.box()) == ip("11.0.0.1"));
  CHECK(p.mapper.add_mapping(p.now, ip("192.168.0.2"), 5000, 5555, Protocol::udp, 0s, p.box()));
  CHECK(p.mapper.add_mapping(p.now, ip("192.168.0.2"), 5001, 5556, Protocol::udp, 100s, p.box()));
  CHECK(p.mapper.add_mapping(p.now, ip("192.168.0.2"), 5000, 5555, Protocol::udp, 0s, p.box()));  // again
  CHECK(p.reaches(5555) == "192.168.0.2:5000");
  CHECK(p.reaches(5556) == "192.168.0.2:5001");
  p.now += 100s;
  CHECK(p.reaches(5556) == "no_mapping");
  p.now += 240h;
  CHECK(p.reaches(5555) == "192.168.0.2:5000");
  CHECK(error(p.mapper.delete_mapping(p.now, 5555, Protocol::tcp, p.box())) == "714 NoSuchEntryInArray");
  CHECK(p.mapper.delete_mapping(p.now, 5555, Protocol::udp, p.box()));
  CHECK(p.reaches(5555) == "no_mapping");
  CHECK(error(p.mapper.delete_mapping(p.now, 5555, Protocol::udp, p.box())) == "714 NoSuchEntryInArray");
}

TEST_CASE("UPnP tells what is wrong by its codes, and a conflict leaves nothing behind") {
  MapperProbe p{all()};
  const auto add = [&](std::string_view host, std::uint16_t inner, std::uint16_t outer) {
    return error(p.mapper.add_mapping(p.now, ip(host), inner, outer, Protocol::udp, 1h, p.box()));
  };
  CHECK(add("192.168.0.2", 5000, 5555).empty());
  CHECK(add("192.168.0.3", 5000, 5555) == "718 ConflictInMappingEntry");
  CHECK(add("192.168.0.2", 5000, 5556) == "718 ConflictInMappingEntry");
  CHECK(p.nat.box.mappings(p.now) == 1);
  CHECK(p.reaches(5555) == "192.168.0.2:5000");
  CHECK(add("192.168.0.2", 5000, 0) == "716 WildCardNotPermittedInExtPort");
  CHECK(add("192.168.0.2", 0, 5000) == "732 WildCardNotPermittedInIntPort");
  p.translates = false;
  CHECK(add("192.168.0.2", 5001, 5001) == "501 ActionFailed");
  CHECK_FALSE(p.mapper.external_address(p.box()));
}

TEST_CASE("a mapper that refuses maps nothing in any protocol, and still tells its address") {
  PortMapperOptions o = all();
  o.refuses = true;
  MapperProbe p{o};
  CHECK(read_pmp(p.ask(kPmpAddress)).result == 0);
  CHECK(read_pmp(p.ask(pmp_map(1, 5000, 5000, 100))).result == 2);
  CHECK(read_pcp(p.ask(PcpMap{}.bytes())).result == 2);
  CHECK(p.mapper.external_address(p.box()));
  CHECK(error(p.mapper.add_mapping(p.now, ip("192.168.0.2"), 1, 1, Protocol::udp, 1h, p.box())) ==
        "606 Action not authorized");
  CHECK(p.nat.box.mappings(p.now) == 0);
}

TEST_CASE("a host has its limit over all protocols; renewals and other hosts are not touched by it") {
  PortMapperOptions o = all();
  o.max_mappings_per_host = 3;
  MapperProbe p{o};
  CHECK(read_pmp(p.ask(pmp_map(1, 5000, 0, 100))).result == 0);
  CHECK(read_pmp(p.ask(pmp_map(2, 5000, 0, 100))).result == 0);
  PcpMap map;
  map.inner = 5002;
  map.lifetime = 1000;
  CHECK(read_pcp(p.ask(map.bytes())).result == 0);
  CHECK(read_pmp(p.ask(pmp_map(1, 5003, 0, 100))).result == 4);
  PcpMap more;
  more.inner = 5003;
  const PcpReply quota = read_pcp(p.ask(more.bytes()));
  CHECK((quota.result == 10 && quota.lifetime == 30));
  CHECK(error(p.mapper.add_mapping(p.now, ip("192.168.0.2"), 5003, 1, Protocol::udp, 1h, p.box())) ==
        "728 NoPortMapsAvailable");
  CHECK(read_pcp(p.ask(map.bytes())).result == 0);
  CHECK(read_pmp(p.ask(pmp_map(1, 5003, 0, 100), "192.168.0.3:1")).result == 0);
  p.now += 100s;  // two have expired
  CHECK(read_pmp(p.ask(pmp_map(1, 5003, 0, 100))).result == 0);
}

TEST_CASE("a full NAT makes the mapper tell of no resources") {
  NatOptions small;
  small.max_mappings = 1;
  MapperProbe p{all(), small};
  p.nat.out("192.168.0.9:1", "9.0.0.1:80");
  CHECK(read_pmp(p.ask(pmp_map(1, 5000, 0, 100))).result == 4);
  const PcpReply none = read_pcp(p.ask(PcpMap{}.bytes()));
  CHECK((none.result == 8 && none.lifetime == 30));
}

/// What each protocol says of a new mapping of port 5000, and whom strangers reach there and one port above.
struct Told {
  std::string address;
  std::uint16_t port = 0;
  std::string there;
  std::string above;
};
Told told(MapperProbe& p, int protocol) {
  Told t;
  if (protocol == 0) {
    const Buffer address = *p.ask(kPmpAddress);
    t.address = IpAddress::v4({address[8], address[9], address[10], address[11]}).to_string();
    t.port = read_pmp(p.ask(pmp_map(1, 5000, 5000, 3600))).outer;
  } else if (protocol == 1) {
    PcpMap map;
    map.outer = 5000;
    const PcpReply reply = read_pcp(p.ask(map.bytes()));
    t.address = reply.address;
    t.port = reply.outer;
  } else {
    t.address = p.mapper.external_address(p.box()).value().to_string();
    REQUIRE(p.mapper.add_mapping(p.now, ip("192.168.0.2"), 5000, 5000, Protocol::udp, 1h, p.box()));
    t.port = 5000;
  }
  t.there = p.reaches(t.port);
  t.above = p.reaches(static_cast<std::uint16_t>(t.port + 1));
  return t;
}

TEST_CASE("each lie is told in every protocol, and is the only thing that is wrong") {
  for (int protocol = 0; protocol < 3; ++protocol)
    for (std::size_t i = 0; i < enum_count<MapperLie>(); ++i) {
      PortMapperOptions o = all();
      o.lie = static_cast<MapperLie>(i);
      INFO(protocol << ' ' << name(o.lie));
      MapperProbe p{o};
      const Told t = told(p, protocol);
      const std::string inner = "192.168.0.2:5000";
      CHECK(t.port == 5000);
      CHECK(t.address == (o.lie == MapperLie::wrong_address     ? "11.255.255.254"
                          : o.lie == MapperLie::private_address ? "10.254.254.254"
                                                                : "11.0.0.1"));
      const bool reaches = o.lie != MapperLie::maps_nothing && o.lie != MapperLie::wrong_port;
      CHECK(t.there == (reaches ? inner : "no_mapping"));
      CHECK(t.above == (o.lie == MapperLie::wrong_port ? inner : "no_mapping"));
      p.now += 450s - 1ns;
      CHECK(p.reaches(5000) == (reaches ? inner : "no_mapping"));
      p.now += 1ns;
      CHECK(p.reaches(5000) == (reaches && o.lie != MapperLie::forgets ? inner : "no_mapping"));
      told(p, protocol);  // a renewal tells the same lie
      CHECK(p.reaches(5000) == (reaches ? inner : "no_mapping"));
      p.now += 3600s;
      CHECK(p.reaches(5000) == "no_mapping");
      CHECK(p.reaches(5001) == "no_mapping");
    }
}

TEST_CASE("a reboot ends what was leased and begins the epoch of both protocols again") {
  MapperProbe p{all()};
  p.now += 100s;
  CHECK(read_pmp(p.ask(kPmpAddress)).epoch == 100);
  CHECK(read_pcp(p.ask(PcpMap{}.bytes())).epoch == 100);
  p.nat.box.reboot();
  p.mapper.reboot(p.now);
  p.now += 3s;
  CHECK(read_pmp(p.ask(kPmpAddress)).epoch == 3);
  PcpMap map;
  map.nonce = 9;  // nobody remembers the other nonce
  const PcpReply again = read_pcp(p.ask(map.bytes()));
  CHECK((again.result == 0 && again.epoch == 3));
}

}  // namespace
}  // namespace pw::net
