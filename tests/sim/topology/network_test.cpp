#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "sim/scenario/load.hpp"
#include "sim/topology/network.hpp"

using namespace pw;
using namespace pw::sim::scenario;

namespace {

constexpr std::string_view kCarrier = R"(
about = "A home behind a carrier's NAT"
[[segment]]
name = "internet"
link = {delay = "20ms", loss = 0.25}
[[segment]]
name = "carrier"
[[segment]]
name = "lan"
[[router]]
name = "cgn"
outer = {segment = "internet", addresses = ["11.0.1.1"]}
inner = {segment = "carrier", addresses = ["100.64.0.1"]}
nat = {mapping = "endpoint-independent", filtering = "endpoint-independent", ports = "random"}
[[router]]
name = "home"
outer = {segment = "carrier", addresses = ["100.64.0.2"], link = {delay = "3ms"}}
inner = {segment = "lan", addresses = ["192.168.1.1", "2001:db8:1::1"]}
behind = ["2001:db8:1::/48"]
nat = {mapping = "endpoint-independent", filtering = "endpoint-independent", ports = "preserving"}
[[host]]
name = "a"
attach = {segment = "lan", addresses = ["192.168.1.10"]}
peers = []
[[host]]
name = "s"
attach = {segment = "internet", addresses = ["11.0.0.1"], link = {delay = "1ms"}}
peers = []
[[expect]]
disconnected = ["a", "s"]
at = "1s"
)";

Scenario carrier() {
  Loaded loaded = load("carrier.toml", kCarrier);
  for (const config::Problem& problem : loaded.problems) FAIL(problem.to_string());
  return loaded.scenario;
}
Scenario lossless() {
  Scenario out = carrier();
  out.segments[0].link.loss = 0;
  return out;
}

/// A plug that keeps what arrives.
struct Sink : net::Device {
  using Device::Device;
  void arrive(net::Interface&, net::Packet packet) override { got.push_back(std::move(packet)); }
  std::vector<net::Packet> got;
};

struct Fixture {
  explicit Fixture(const Scenario& scenario) : Fixture{scenario, Plan::whole(scenario)} {}
  Fixture(const Scenario& scenario, const Plan& plan)
      : network{net, scenario, plan,
                [this](const std::string& device, const Attachment& at, net::Segment& segment) -> net::Interface& {
                  sinks.push_back(std::make_unique<Sink>(net, device));
                  return segment.attach(*sinks.back(), at.addresses, at.access);
                }} {}
  void send(const std::string& from, const std::string& source, const std::string& destination) {
    net::Packet packet;
    packet.source = SocketAddress::parse(source).value();
    packet.destination = SocketAddress::parse(destination).value();
    net::Interface* plug = network.plugs(from).at(0);
    plug->segment.send(*plug, packet);
  }
  void wait(Duration d) { net.run_until(net.now() + d); }
  const std::vector<net::Packet>& got(const std::string& device) {
    return dynamic_cast<Sink&>(network.plugs(device).at(0)->device).got;
  }

  std::vector<std::unique_ptr<Sink>> sinks;
  net::Net net{1};
  Network network;
};

using Plugs = std::set<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE("a packet crosses both NATs and all links of a declared network, and its answer comes back") {
  Fixture fixture{lossless()};
  fixture.send("a", "192.168.1.10:5000", "11.0.0.1:9470");
  fixture.wait(23ms);
  CHECK(fixture.got("s").empty());
  fixture.wait(1ms);
  REQUIRE(fixture.got("s").size() == 1);
  const std::string outer = fixture.got("s")[0].source.to_string();
  CHECK(outer.starts_with("11.0.1.1:"));
  fixture.send("s", "11.0.0.1:9470", outer);
  fixture.wait(1s);
  REQUIRE(fixture.got("a").size() == 1);
  CHECK(fixture.got("a")[0].destination.to_string() == "192.168.1.10:5000");

  REQUIRE(fixture.network.reboot("cgn", {}));
  fixture.send("s", "11.0.0.1:9470", outer);
  fixture.wait(1s);
  CHECK(fixture.got("a").size() == 1);
  CHECK_FALSE(fixture.network.reboot("s", {}));
}

TEST_CASE("a router's new address is where its packets come from") {
  Fixture fixture{lossless()};
  REQUIRE(fixture.network.change_addresses("cgn", {IpAddress::v4({11, 0, 1, 9})}));
  fixture.send("a", "192.168.1.10:5000", "11.0.0.1:9470");
  fixture.wait(1s);
  REQUIRE(fixture.got("s").size() == 1);
  CHECK(fixture.got("s")[0].source.ip == IpAddress::v4({11, 0, 1, 9}));
  CHECK_FALSE(fixture.network.change_addresses("s", {IpAddress::v4({11, 0, 1, 8})}));
}

TEST_CASE("a change of a link holds one way or both, and on a segment that both share only") {
  Fixture fixture{carrier()};
  net::Link link;
  link.delay = 70ms;
  net::Interface& s = *fixture.network.plugs("s").at(0);
  net::Interface& cgn = *fixture.network.plugs("cgn").at(0);
  REQUIRE(fixture.network.link("s", "cgn", link, false));
  CHECK(s.segment.wire(s, cgn).link.delay == 70ms);
  CHECK(s.segment.wire(cgn, s).link.delay == 20ms);
  CHECK(s.segment.wire(cgn, s).link.loss == 0.25);
  REQUIRE(fixture.network.link("s", "cgn", link, true));
  CHECK(s.segment.wire(cgn, s).link.delay == 70ms);
  CHECK_FALSE(fixture.network.link("a", "s", link, true));
}

TEST_CASE("what is carried is what all of its devices are plugged into") {
  const Scenario scenario = carrier();
  const auto all = Plan::around(scenario, Plugs{{"a", "lan"}, {"s", "internet"}});
  REQUIRE(all);
  CHECK(all->segments.size() == 3);
  CHECK(all->routers.size() == 2);
  // Both routers are real, and only the internet between them and s is ours.
  const auto internet = Plan::around(scenario, Plugs{{"s", "internet"}, {"cgn", "internet"}});
  REQUIRE(internet);
  CHECK(internet->segments == std::set<std::string>{"internet"});
  CHECK(internet->routers.empty());
  // A real home router on the carrier's inside.
  const auto outside = Plan::around(scenario, Plugs{{"s", "internet"}, {"home", "carrier"}});
  REQUIRE(outside);
  CHECK(outside->segments == std::set<std::string>{"internet", "carrier"});
  CHECK(outside->routers == std::set<std::string>{"cgn"});

  const auto half = Plan::around(scenario, Plugs{{"s", "internet"}});
  REQUIRE_FALSE(half);
  CHECK(half.error().detail.find("cgn") != std::string::npos);
  CHECK_FALSE(Plan::around(scenario, Plugs{{"a", "internet"}}));
  Scenario twice = scenario;
  twice.hosts[0].attach.push_back({"lan", {IpAddress::v4({192, 168, 1, 11})}, {}});
  CHECK_FALSE(Plan::around(twice, Plugs{{"a", "lan"}, {"s", "internet"}}));
}

TEST_CASE("a router of the caller's own is its segment's gateway and has its prefixes") {
  const Scenario scenario = carrier();
  const auto lan = Plan::around(scenario, Plugs{{"home", "lan"}, {"a", "lan"}});
  REQUIRE(lan);
  Fixture inside{scenario, *lan};
  inside.send("a", "192.168.1.10:5000", "11.0.0.1:9470");
  inside.wait(1s);
  CHECK(inside.got("home").size() == 1);

  const auto outer = Plan::around(scenario, Plugs{{"home", "carrier"}, {"s", "internet"}});
  REQUIRE(outer);
  Fixture outside{scenario, *outer};
  net::Interface& cgn = *outside.network.plugs("cgn").at(1);
  CHECK(cgn.segment.next_hop(cgn, IpAddress::parse("2001:db8:1::7").value()) == outside.network.plugs("home").at(0));
}
