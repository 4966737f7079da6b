// What a node reads in one go it answers in one go.
#include <catch2/catch_test_macros.hpp>

#include "unit/mesh/node_end.hpp"

namespace pw::mesh {
namespace {

using End = test::NodeEnd;

struct Two {
  Two() {
    for (auto [one, other] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      peer::Membership membership;
      membership.peers = {other->spec()};
      one->node.configure(now, membership);
    }
    for (int i = 0; i < 300 && !(a.up && b.up); ++i) run();
    REQUIRE((a.up && b.up));
    for (int i = 0; i < 100; ++i) run();
  }
  void give(End& to, const End& from, const std::deque<Buffer>& packets) {
    for (const Buffer& packet : packets) to.node.handle_datagram(now, now, {to.at.ip, from.at}, packet);
  }
  /// A millisecond.
  void run() {
    now += 1ms;
    for (End* end : {&a, &b})
      if (end->node.poll_timeout() <= now) end->node.handle_timeout(now);
    const auto from_a = a.take(), from_b = b.take();
    give(b, a, from_a);
    give(a, b, from_b);
  }
  Instant now{100s};
  End a{1, now};
  End b{2, now};
};

}  // namespace

TEST_CASE("packets that were read together are acknowledged and answered together, and all of them") {
  Two t;
  std::deque<Buffer> asked;
  for (std::uint64_t i = 1; i <= 8; ++i) {
    t.a.node.handle_command(t.now, event::Ticket{i}, event::Ping{t.b.identity.id(), 100});
    for (Buffer& packet : t.a.take()) asked.push_back(std::move(packet));
  }
  REQUIRE(asked.size() == 8);
  t.give(t.b, t.a, asked);
  CHECK(t.b.node.poll_timeout() <= t.now);
  const auto answered = t.b.take();
  CHECK(answered.size() <= 2);  // eight answers of a hundred bytes, and one acknowledgement
  t.give(t.a, t.b, answered);
  static_cast<void>(t.a.take());
  CHECK(t.a.answers == 8);
}

}  // namespace pw::mesh
