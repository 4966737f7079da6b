// What is told of NATs is what was measured: a series goes with its measurement.
#include <catch2/catch_test_macros.hpp>

#include "exposition_reader.hpp"
#include "world.hpp"

using namespace pw;
using namespace pw::test;
using observe::Exposition;
using observe::Metrics;

namespace {

Exposed scrape(Metrics& metrics, const event::NodeSnapshot& node) {
  return Exposed::read(render(*metrics.snapshot(node, kWall), Exposition::text), Exposition::text);
}

const LabelMap kHome{{"family", "ipv4"},
                     {"mapping", "endpoint_independent"},
                     {"filtering", "address_and_port_dependent"},
                     {"hairpin", "no"}};

}  // namespace

TEST_CASE("a NAT's series follow what is measured of it, and are gone when nothing is") {
  Metrics metrics{options()};
  event::NodeSnapshot node = node_at(Instant{1h});
  Exposed told = scrape(metrics, node);
  CHECK(told.value("nat_local_type_info", kHome) == 1);
  CHECK(told.value("nat_mapping_lifetime_seconds", {{"family", "ipv4"}}) == 90);

  auto& behaviour = *node.nat.families[0].behaviour;
  behaviour.hairpin = event::Tested::yes;
  behaviour.lifetime.reset();
  told = scrape(metrics, node);
  CHECK_FALSE(told.has("nat_local_type_info", kHome));
  CHECK(told.families.at("nat_local_type_info").samples.size() == 1);
  CHECK_FALSE(told.has("nat_mapping_lifetime_seconds", {{"family", "ipv4"}}));

  behaviour.mapping = event::NatMapping::unknown;  // UDP is blocked
  CHECK_FALSE(scrape(metrics, node).families.contains("nat_local_type_info"));
  node.nat.families[0].behaviour = nat_behaviour();
  CHECK(scrape(metrics, node).has("nat_local_type_info", kHome));
  node.nat.families[0].behaviour.reset();
  CHECK_FALSE(scrape(metrics, node).families.contains("nat_local_type_info"));
}
