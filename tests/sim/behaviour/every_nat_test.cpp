// The verdict on every NAT is what was declared, quickly and with few packets, also where packets are lost.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <iostream>

#include "sim/behaviour/discoverer.hpp"

using namespace pw;
using namespace pw::net;

namespace {

constexpr Duration kRtt = 40ms;

PlaceOptions behind(const NatOptions& nat) {
  RouterOptions router;
  router.nat = nat;
  return {.routers = {router}};
}

}  // namespace

TEST_CASE("every mapping, filtering and allocation is found as declared, within ten round trips and 40 packets") {
  Duration slowest{};
  unsigned dearest = 0;
  unsigned packets = 0;
  for (const Hairpin hairpin : {Hairpin::none, Hairpin::external_source, Hairpin::internal_source})
    for (NatOptions nat : every_nat()) {
      nat.hairpin = hairpin;
      Place place{behind(nat)};
      place.discover();
      const Behaviour truth = declared(nat, 1);
      INFO("declared " << truth.to_string() << ", found " << to_string(place.node->result()));
      CHECK(differences(truth, place.node->result()) == std::vector<std::string>{});
      CHECK(place.node->result().confidence > 0.999);
      CHECK(place.node->closest >= 5ms);
      slowest = std::max(slowest, *place.node->took);
      dearest = std::max(dearest, place.node->packets);
      packets += place.node->packets;
    }
  std::cout << "slowest " << to_milliseconds(slowest) << " ms, most packets " << dearest << ", mean "
            << packets / 135.0 << "\n";
  CHECK(slowest <= 10 * kRtt);
  CHECK(dearest <= 40);
}
