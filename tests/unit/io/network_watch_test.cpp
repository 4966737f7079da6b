#include "io/network_watch.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

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
  NetworkWatch watch{context, {}, [](const auto&) { FAIL("told"); }};
  REQUIRE(watch.start());
  watch.stop();
  context.run();
}

}  // namespace
}  // namespace pw::io
