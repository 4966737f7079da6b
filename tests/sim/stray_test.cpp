// Packets that belong to nobody any more, and what two daemons make of them between themselves.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;

TEST_CASE("two daemons that know nothing of each other fall silent after a stray packet of any size") {
  for (std::size_t size = 0; size <= 1200; size += size < 64 ? 1 : 71) {
    World w{size + 1};
    Host& a = w.add("a");
    Host& b = w.add("b");
    w.start_all();
    Buffer stray(size, 0x5a);  // a short header that no connection has
    w.inject(a.address(), b, std::move(stray));
    w.run_for(5s);
    // The stray one, a reset, and at most one that takes the reset for a stray one itself.
    INFO(size << " bytes");
    CHECK(w.packets_sent() <= 3);
    CHECK(broken_rule(w).empty());
  }
}
