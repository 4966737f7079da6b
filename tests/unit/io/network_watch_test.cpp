#include "io/network_watch.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "unit/io/own_network.hpp"

namespace pw::io {
namespace {

TEST_CASE("the addresses of this machine are ordered, each once, and loopback is of no use to others") {
  const auto found = read_interfaces({});
  REQUIRE(found);
  CHECK(std::ranges::is_sorted(*found));
  CHECK(std::ranges::adjacent_find(*found) == found->end());
  for (const auto& i : *found) {
    CHECK_FALSE((i.ip.family() == Family::v6 && i.ip.is_link_local()));
    if (i.ip.is_loopback()) CHECK(i.excluded);
  }
}

TEST_CASE("an interface whose name fits a pattern is excluded, and still there") {
  const auto all = read_interfaces({"*"});
  const auto none = read_interfaces({"no such interface"});
  REQUIRE(all);
  REQUIRE(none);
  CHECK(all->size() == none->size());
  for (const auto& i : *all) CHECK(i.excluded);
}

TEST_CASE("a watch that is stopped tells nothing") {
  boost::asio::io_context context;
  NetworkWatch watch{context, [] { return read_network({}); }, [](const auto&) { FAIL("told"); }};
  REQUIRE(watch.start());
  watch.stop();
  context.run();
}

TEST_CASE("what could not be read is read again until it can") {
  boost::asio::io_context context;
  int reads = 0, failures = 0;
  NetworkWatch watch{context,
                     [&]() -> Result<Network> {
                       if (++reads <= 2) return fail("not now");
                       return Network{};
                     },
                     [&](const auto& found) {
                       failures += found ? 0 : 1;
                       if (found) context.stop();
                     }};
  CHECK_FALSE(watch.read());
  context.run_for(10 * NetworkWatch::kAgain);
  CHECK(reads == 3);
  CHECK(failures == 1);
}

TEST_CASE("another way out is told, of either family, and routes to somewhere in particular are not") {
  const bool right = in_a_network([] {
    boost::asio::io_context context;
    int told = 0;
    Network last;
    NetworkWatch watch{context, [] { return read_network({}); }, [&](Result<Network> found) {
                         ++told;
                         last = found.value();
                       }};
    if (!watch.start()) return false;
    const auto after = [&](const std::string& command) {
      told = 0;
      const bool done = shell(command);
      context.run_for(10 * NetworkWatch::kSettle);
      return done;
    };
    after("true");  // what its interfaces still had to say
    if (!after("ip route add 10.9.0.0/16 via 10.0.1.1") || told != 0) return false;
    if (!after("ip route add default via 10.0.1.1") || told == 0 || !last.gateway_v4) return false;
    if (!after("ip -6 route add default via 2001:db8:2::1") || told == 0 || !last.gateway_v6) return false;
    return after("ip -6 route del default") && told != 0 && !last.gateway_v6;
  });
  CHECK(right);
}

}  // namespace
}  // namespace pw::io
