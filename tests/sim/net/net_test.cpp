// Machines on one segment: who hears whom, when, and in which order.
#include <catch2/catch_test_macros.hpp>

#include "sim/net/recorder.hpp"

using namespace pw;
using namespace pw::net;

TEST_CASE("a datagram crosses both access links and the pair's wire, and takes the time of all three") {
  Net net{1};
  Segment& lan = net.add_segment("lan", Link{.delay = 3ms});
  Recorder alice{net, lan, "alice", "10.0.0.1", Link{.delay = 1ms}};
  Recorder bob{net, lan, "bob", "10.0.0.2", Link{.delay = 10ms}};
  alice.send(bob.address(), "hello");
  net.run_until(net.now() + 1s);
  REQUIRE(bob.got.size() == 1);
  CHECK(bob.got[0].text == "hello");
  CHECK(bob.got[0].at == Net::kStart + 14ms);
  CHECK(bob.got[0].received_at == bob.got[0].at);
  CHECK(bob.got[0].from == alice.address());
  CHECK(bob.got[0].to == bob.address());
  CHECK(net.now() == Net::kStart + 1s);
}
