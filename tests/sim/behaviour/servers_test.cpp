// Servers that are silent, limited, broken or lie; and a system that has no sockets left.
#include <catch2/catch_test_macros.hpp>

#include "sim/behaviour/discoverer.hpp"

using namespace pw;
using namespace pw::net;
using event::NatFiltering;
using event::NatMapping;
using event::Tested;

namespace {

constexpr Duration kRtt = 40ms;

/// Answers every request, but not as it should.
struct Fraud : Program {
  enum class Way : std::uint8_t {
    silent,
    random_ports,      // sees everybody at another port each time
    dead_address,      // names another address that does not answer
    useless_address,   // names one that nobody should be sent to
    ignores_changes,   // answers from where it was asked
    refuses,           // every question, by an error
    other_transaction
  };
  Fraud(Place& place, Way w, std::uint16_t port = 3478)
      : way{w}, machine{place.net.add_machine("fraud")}, rng{place.net.rng_for("fraud")},
        address{place.address(60, 1), port}, dead{place.address(61, 1), 3479} {
    machine.attach(place.internet, {address.ip, place.address(60, 2)});
    machine.open(*this, port);
    machine.open(*this, 3479);
  }
  ~Fraud() override { machine.kill(*this); }
  void handle_arrival(Instant, const Arrival& arrival) override {
    const auto request = decode_stun(arrival.bytes);
    if (!request || way == Way::silent) return;
    StunMessage m;
    m.kind = StunMessage::Class::success;
    m.id = request->id;
    m.xor_mapped = arrival.path.remote;
    if (way == Way::random_ports) m.xor_mapped->port = static_cast<std::uint16_t>(1024 + rng.below(60000));
    if (way == Way::dead_address) m.other_address = dead;
    if (way == Way::useless_address) m.other_address = SocketAddress{IpAddress::v4({127, 0, 0, 1}), 22};
    if (way == Way::ignores_changes) m.other_address = SocketAddress{other_ip(arrival.path.local), other_port(arrival.port)};
    if (way == Way::other_transaction) m.id[11] ^= 1;
    if (way == Way::refuses) {
      m.kind = StunMessage::Class::error;
      m.error = StunError{500, "Server Error"};
    }
    machine.send(arrival.port, {arrival.path.local, arrival.path.remote}, encode(m));
  }
  IpAddress other_ip(const IpAddress& ip) const {
    const auto& own = machine.interfaces()[0]->addresses;
    return ip == own[0] ? own[1] : own[0];
  }
  static std::uint16_t other_port(std::uint16_t port) { return port == 3478 ? 3479 : 3478; }
  Way way;
  Machine& machine;
  Rng rng;
  SocketAddress address;
  SocketAddress dead;
};

struct Scene {
  Place place;
  Fraud fraud;
  explicit Scene(const NatOptions& nat, Fraud::Way way) : place{options(nat)}, fraud{place, way} {}
  static PlaceOptions options(const NatOptions& nat) {
    RouterOptions router;
    router.nat = nat;
    PlaceOptions o;
    o.routers = {router};
    return o;
  }
  SocketAddress honest() const { return place.addresses()[0]; }
  const event::NatBehaviour& asks(const std::vector<SocketAddress>& servers) {
    place.discover(servers);
    UNSCOPED_INFO("found " << to_string(place.node->result()));
    return place.node->result();
  }
};

bool says(const event::NatBehaviour& b, const std::string& why) {
  return std::ranges::find(b.not_tested, why) != b.not_tested.end();
}

}  // namespace

TEST_CASE("beside an honest server, one that is silent, refuses or names a dead or useless address changes no verdict") {
  using enum Fraud::Way;
  for (const Fraud::Way way : {silent, dead_address, useless_address, ignores_changes, refuses, other_transaction})
    for (const bool first : {false, true})
      for (const NatOptions& nat : every_nat()) {
        Scene s{nat, way};
        const auto& found = first ? s.asks({s.fraud.address, s.honest()}) : s.asks({s.honest(), s.fraud.address});
        INFO("way " << static_cast<int>(way) << (first ? " first" : " second"));
        CHECK(differences(declared(nat, 1), found) == std::vector<std::string>{});
        CHECK(found.confidence > 0.99);
        CHECK(*s.place.node->took <= 20 * kRtt);
        CHECK(s.place.node->asked[{IpAddress::v4({127, 0, 0, 1}), 22}] == 0);
        CHECK(s.place.node->asked[s.fraud.dead] <= 6);
        CHECK(s.place.node->packets <= 60);
      }
}

TEST_CASE("beside an honest server, one that lies about ports lowers confidence, but is not believed") {
  for (const bool first : {false, true}) {
    Scene s{NatOptions{}, Fraud::Way::random_ports};
    const auto& found = first ? s.asks({s.fraud.address, s.honest()}) : s.asks({s.honest(), s.fraud.address});
    CHECK(found.mapping == NatMapping::endpoint_independent);
    CHECK(found.filtering == NatFiltering::address_and_port_dependent);
    CHECK(found.confidence <= 0.5);
    CHECK(says(found, "mapping: the servers contradict one another"));
    // What was asked of the liar is not told.
    CHECK(found.allocation == (first ? event::PortAllocation::unknown : event::PortAllocation::preserving));
    CHECK(found.hairpin == (first ? Tested::unknown : Tested::yes));
  }
}

TEST_CASE("a server that can't answer from another address leaves filtering open, and says why") {
  Scene s{NatOptions{}, Fraud::Way::ignores_changes};
  const auto& found = s.asks({s.fraud.address});
  CHECK(found.mapping == NatMapping::endpoint_independent);
  CHECK(found.filtering == NatFiltering::unknown);
  CHECK(says(found, "filtering: the server does not answer from another address"));
  CHECK(*s.place.node->took <= 10 * kRtt);
}

TEST_CASE("a server whose other address is dead leaves mapping and filtering open, and says why") {
  Scene s{NatOptions{}, Fraud::Way::dead_address};
  const auto& found = s.asks({s.fraud.address});
  CHECK(found.mapping == NatMapping::unknown);
  CHECK(found.filtering == NatFiltering::unknown);
  CHECK(says(found, "filtering: the server's other address does not answer"));
  CHECK(found.confidence == 0);
}

TEST_CASE("a server that refuses every question shows that UDP is not blocked, and no more") {
  Scene s{NatOptions{}, Fraud::Way::refuses};
  const auto& found = s.asks({s.fraud.address});
  CHECK(found.udp == Tested::yes);
  CHECK(found.servers == 0);
  CHECK(found.mapping == NatMapping::unknown);
  CHECK(found.filtering == NatFiltering::unknown);
  CHECK(says(found, "mapping: every server refused the question"));
}

TEST_CASE("answers to transactions that nobody began count as silence") {
  Scene s{NatOptions{}, Fraud::Way::other_transaction};
  CHECK(s.asks({s.fraud.address}).udp == Tested::no);
}

TEST_CASE("two servers that disagree about a NAT which depends on the remote are no contradiction") {
  NatOptions nat;
  nat.mapping = Dependence::address_and_port_dependent;
  nat.ports = PortAllocation::random;
  PlaceOptions options = Scene::options(nat);
  options.servers.resize(3);
  Place place{options};
  place.discover();
  CHECK(place.node->result().mapping == NatMapping::address_and_port_dependent);
  CHECK(place.node->result().confidence > 0.999);
  CHECK(place.node->result().servers == 3);
}

TEST_CASE("without further sockets mapping is still told, and what is missing is said") {
  Scene s{NatOptions{}, Fraud::Way::silent};
  s.place.node->opens_sockets = false;
  const auto& found = s.asks({s.honest()});
  CHECK(found.mapping == NatMapping::endpoint_independent);
  CHECK(found.filtering == NatFiltering::unknown);
  CHECK(found.allocation == event::PortAllocation::unknown);
  CHECK(found.hairpin == Tested::unknown);
  CHECK(says(found, "filtering: a socket could not be opened: too many open files"));
  CHECK(says(found, "port allocation: a socket could not be opened: too many open files"));
  CHECK(says(found, "hairpin: too few sockets were answered"));
}

TEST_CASE("without servers of its family it is done at once") {
  Scene s{NatOptions{}, Fraud::Way::silent};
  const auto& found = s.asks({SocketAddress::parse("[2001:db8::1]:3478").value()});
  CHECK(found.udp == Tested::unknown);
  CHECK(says(found, "anything: there is no server of this family to ask"));
  CHECK(s.place.node->packets == 0);
}

TEST_CASE("it may be stopped at any time, and started again after the network changed") {
  for (const Duration after : {0ms, 1ms, 41ms, 60ms, 100ms, 200ms, 300ms}) {
    Scene s{NatOptions{}, Fraud::Way::silent};
    Discoverer& node = *s.place.node;
    node.start(s.place.addresses());
    s.place.net.run_until(s.place.net.now() + after);
    node.stop();
    CHECK(node.sockets() == 1);
    CHECK(node.poll_timeout() == kNever);
    const unsigned packets = node.packets_in_all;
    s.place.net.run_until(s.place.net.now() + 1s);
    CHECK(node.packets_in_all == packets);
    s.place.net.routers()[0]->change_addresses({s.place.address(100, 9)});
    s.place.discover();
    CHECK(node.result().mapped->ip == s.place.address(100, 9));
    CHECK(differences(declared(NatOptions{}, 1), node.result()) == std::vector<std::string>{});
  }
}

TEST_CASE("no more than four servers are asked") {
  PlaceOptions options = Scene::options(NatOptions{});
  options.servers.resize(6);
  Place place{options};
  place.discover();
  CHECK(place.node->asked[place.servers[3]->primary()] > 0);
  CHECK(place.node->asked[place.servers[4]->primary()] == 0);
  CHECK(place.node->asked[place.servers[5]->primary()] == 0);
}
