// Pipes are for services: whatever else comes by one is refused, as its path would be told, and measured, as a direct one.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <utility>

#include "unit/mesh/node_end.hpp"

namespace pw::mesh {
namespace {

using event::RejectReason;

mesh::Options bootstrap() {
  mesh::Options options;
  options.services.server.bootstrap = true;
  return options;
}

/// `a` has a pipe to `b`, which answers STUN.
struct Piped {
  Piped() {
    for (auto [one, other] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      peer::Membership membership;
      membership.peers = {other->spec()};
      if (one == &b) membership.peers[0].addresses.clear();  // it does not dial
      one->node.configure(now, membership);
    }
  }
  void run(Duration time) {
    for (const Instant end = now + time; now < end;) {
      now += 1ms;
      for (test::NodeEnd* one : {&a, &b})
        if (one->node.poll_timeout() <= now) one->node.handle_timeout(now);
      const auto from_a = a.take(), from_b = b.take();
      for (const Buffer& packet : from_a) b.node.handle_datagram(now, now, {{}, a.at, pipe}, packet);
      for (const Buffer& packet : from_b) a.node.handle_datagram(now, now, {a.at.ip, b.at}, packet);
    }
  }
  Instant now{100s};
  test::NodeEnd a{1, now};
  test::NodeEnd b{2, now, bootstrap()};
  Via pipe = b.node.handle_pipe_accepted(now, a.at);
};

}  // namespace

TEST_CASE("a peer that comes by a pipe is refused") {
  Piped p;
  p.run(500ms);
  CHECK_FALSE(p.a.up);
  CHECK_FALSE(p.b.up);
  CHECK(std::ranges::count(p.b.rejected, RejectReason::unknown_protocol) > 0);
  p.pipe = Via::own;  // by the socket it is welcome
  p.run(20s);
  CHECK(p.b.up);
}

TEST_CASE("a peer's checks that come by a pipe prove no path") {
  Piped p;
  const Via pipe = std::exchange(p.pipe, Via::own);
  p.run(2s);
  REQUIRE(p.b.up);
  p.pipe = pipe;
  p.run(10s);
  CHECK(std::ranges::count(p.b.rejected, RejectReason::stun) > 0);
  const auto snapshot = p.b.node.snapshot(p.now);
  REQUIRE(snapshot.peers.size() == 1);
  CHECK(std::ranges::all_of(snapshot.peers[0].paths, [](const auto& path) { return path.address.via == Via::own; }));
}

TEST_CASE("STUN that comes by a pipe is refused, which by a socket is answered") {
  Piped p;
  const Buffer question{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  static_cast<void>(p.b.take());
  p.b.node.handle_datagram(p.now, p.now, {{}, p.a.at, p.pipe}, question);
  CHECK(p.b.take().empty());
  CHECK(p.b.rejected == std::vector{RejectReason::stun});
  p.b.node.handle_datagram(p.now, p.now, {{}, p.a.at}, question);
  CHECK(p.b.take().size() == 1);
}

}  // namespace pw::mesh
