// A port that a gateway maps is told to peers once a packet of a bootstrap's has come through it, and used; a gateway that
// lies is caught, and behind a carrier's NAT nothing is claimed.
#include <catch2/catch_test_macros.hpp>

#include "sim/nat/homes.hpp"

using namespace pw;
using namespace pw::sim;
using event::CandidateKind;
using event::MappingProtocol;
using event::MappingState;
using net::MapperLie;
using net::Place;

namespace {

constexpr std::uint16_t kOtherPort = 9471;
IpAddress inner(std::uint8_t n) { return IpAddress::v4({192, 168, 1, n}); }

struct Options {
  Place place = Place::apdf;
  bool pcp = true;
  MapperLie lie = MapperLie::none;
  bool behind_a_carrier = false;
  bool second_address = true;  // of the bootstrap
};

/// A daemon behind a gateway that maps ports, one behind a NAT that leads nowhere by itself, and a bootstrap that is a relay.
struct Scene {
  Scene(std::uint64_t seed, const Options& o) : w{seed}, server{w.add("server", w.net.add_machine("server"))} {
    server.machine().attach(w.internet, {IpAddress::v4({12, 0, 0, 1}), IpAddress::v4({12, 0, 0, 2})});
    server.options.services.server.bootstrap = true;
    server.options.services.server.relay = true;
    server.options.listening = {{IpAddress::v4({12, 0, 0, 1}), Host::kPort}};
    if (o.second_address) server.options.services.stun_alternate = {{IpAddress::v4({12, 0, 0, 2}), kOtherPort}};
    net::PortMapperOptions mapper;
    mapper.pcp = o.pcp;
    mapper.nat_pmp = true;
    mapper.lie = o.lie;
    net::Segment* street = &w.internet;
    IpAddress outer = IpAddress::v4({11, 9, 1, 1});
    if (o.behind_a_carrier) {
      street = &w.net.add_segment("street");
      auto& carrier = w.net.add_router("carrier", {.nat = net::nat_at(Place::apdf), .firewall = {}, .port_mapper = {}});
      carrier.attach_outer(w.internet, {IpAddress::v4({11, 9, 7, 1})});
      // An address that looks public: what the gateway says of itself gives nothing away.
      carrier.attach_inner(*street, {IpAddress::v4({11, 200, 0, 1})});
      outer = IpAddress::v4({11, 200, 0, 2});
    }
    net::Router& gateway = w.net.add_router("gateway", {.nat = net::nat_at(o.place), .firewall = {}, .port_mapper = mapper});
    gateway.attach_outer(*street, {outer});
    net::Segment& lan = w.net.add_segment("lan a");
    gateway.attach_inner(lan, {inner(1)});
    a = &w.add("a", w.net.add_machine("a"));
    a->machine().attach(lan, {inner(2)});
    a->nat.map_port = true;
    a->gateway = inner(1);
    auto& far = w.net.add_router("far", {.nat = net::nat_at(Place::random), .firewall = {}, .port_mapper = {}});
    far.attach_outer(w.internet, {IpAddress::v4({11, 9, 2, 1})});
    net::Segment& other = w.net.add_segment("lan b");
    far.attach_inner(other, {IpAddress::v4({192, 168, 2, 1})});
    b = &w.add("b", w.net.add_machine("b"));
    b->machine().attach(other, {IpAddress::v4({192, 168, 2, 2})});
    event::ServerSpec spec = server.server_spec(true, true);
    spec.addresses.resize(1);
    for (Host* host : {a, b}) {
      host->membership.servers = {spec};
      server.membership.peers.push_back({host->id(), host->name(), false, {}});
    }
    a->membership.peers = {{b->id(), "b", false, {}}};
    b->membership.peers = {{a->id(), "a", false, {}}};
    w.start_all();
  }
  event::PortMappingSnapshot mapping() const { return a->snapshot().nat.mapping.value(); }
  MappingState state(MappingProtocol p) const { return mapping().protocols[static_cast<std::size_t>(p)].state; }
  bool verified() const {
    const auto m = mapping();
    return m.mapped && m.mapped->verified;
  }
  bool told() const {
    for (const event::OwnCandidate& c : a->snapshot().nat.candidates)
      if (c.kind == CandidateKind::port_mapped) return true;
    return false;
  }
  bool direct() const {
    return a->connected(*b) && b->connected(*a) && a->peer(*b).path == event::PathKind::direct_v4 &&
           b->peer(*a).path == event::PathKind::direct_v4;
  }
  World w;
  Host& server;
  Host* a = nullptr;
  Host* b = nullptr;
};

}  // namespace

TEST_CASE("a mapped port that a packet came through is told to peers, whoever mapped it, and they come by it directly") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    for (const Place place : {Place::apdf, Place::random}) {
      Scene s{seed, {.place = place, .pcp = seed % 2 == 0}};
      if (!s.w.run_until([&] { return s.verified(); }, 60s)) return "not verified: " + s.mapping().mapped.value_or(event::MappedPort{}).doubt;
      const auto protocol = seed % 2 == 0 ? MappingProtocol::pcp : MappingProtocol::nat_pmp;
      if (s.state(protocol) != MappingState::mapped) return "its state is another";
      if (!s.told()) return "peers are not told";
      // Behind NATs of which one gives each remote another port, at random, and the other lets only known ports in.
      if (!s.w.run_until([&] { return s.direct(); }, 30s)) return "the peer does not come by it";
      s.w.run_for(10s);
      if (const auto wrong = broken_rule(s.w); !wrong.empty()) return wrong;
    }
    return {};
  });
}

TEST_CASE("a gateway that lies about what it maps is caught, and what it says is told to nobody") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    constexpr std::array kLies{MapperLie::maps_nothing, MapperLie::wrong_port, MapperLie::wrong_address};
    const MapperLie lie = kLies[seed % kLies.size()];
    Scene s{seed, {.place = Place::apdf, .lie = lie}};
    for (int i = 0; i < 120; ++i) {
      s.w.run_for(1s);
      if (s.verified() || s.told()) return "it is believed";
      if (lie != MapperLie::wrong_address && s.state(MappingProtocol::pcp) == MappingState::failed) break;
      if (lie == MapperLie::wrong_address && s.mapping().mapped && s.mapping().mapped->doubt.find("another NAT") != std::string::npos) break;
      if (i == 119) return "nobody says what is wrong";
    }
    if (lie != MapperLie::wrong_address && s.mapping().protocols[0].detail.find("does not reach") == std::string::npos)
      return "it does not say why";
    return broken_rule(s.w);
  });
}

TEST_CASE("behind a carrier's NAT a mapping stays unproved, is told to nobody, and nobody outside gets a packet for it") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, {.behind_a_carrier = true}};
    SentTo stray{s.w, s.server, IpAddress::v4({11, 200, 0, 2})};
    if (!s.w.run_until([&] { return s.mapping().mapped.has_value(); }, 60s)) return "nothing was mapped";
    s.w.run_for(60s);
    if (s.verified() || s.told()) return "it is believed";
    if (s.state(MappingProtocol::pcp) != MappingState::unverified) return "its state is another";
    if (s.mapping().mapped->doubt.find("another NAT outside the gateway") == std::string::npos) return "it does not say why";
    return stray.packets == 0 ? broken_rule(s.w) : "the bootstrap has sent there";
  });
}

TEST_CASE("where the port is the NAT's own for this node and its filter is not known, nothing is claimed") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, {.place = Place::apdf, .second_address = false}};
    if (!s.w.run_until([&] { return s.mapping().mapped.has_value(); }, 60s)) return "nothing was mapped";
    s.w.run_for(30s);
    if (s.verified() || s.told()) return "it is believed";
    if (s.mapping().mapped->doubt.find("whose filter") == std::string::npos) return "it does not say why";
    return broken_rule(s.w);
  });
}
