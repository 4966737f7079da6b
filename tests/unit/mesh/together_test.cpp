// What a node reads in one go it answers in one go.
#include <catch2/catch_test_macros.hpp>
#include <deque>

#include "mesh/node.hpp"

namespace pw::mesh {
namespace {

SocketAddress address(std::uint8_t n) { return {IpAddress::v4({192, 0, 2, n}), 9470}; }

struct End {
  End(std::uint8_t n, Instant now) : at{address(n)}, identity{make(n)}, node{now, {}, identity, Rng{n}} {}
  static quic::Identity make(std::uint8_t n) {
    quic::Identity::Seed seed{};
    seed.fill(n);
    return quic::Identity::from_seed(seed).value();
  }
  event::PeerSpec spec() const { return {identity.id(), "", false, {HostPort{at.ip.to_string(), at.port}}}; }
  /// What it has to send, one datagram each; what it says is dropped.
  std::deque<Buffer> take() {
    std::deque<Buffer> out;
    while (auto t = node.poll_transmit()) {
      const std::size_t step = t->segment_size == 0 ? t->bytes.size() : t->segment_size;
      for (std::size_t i = 0; i < t->bytes.size(); i += step)
        out.emplace_back(t->bytes.begin() + static_cast<std::ptrdiff_t>(i),
                         t->bytes.begin() + static_cast<std::ptrdiff_t>(std::min(i + step, t->bytes.size())));
    }
    while (auto record = node.poll_event())
      up = up || std::holds_alternative<event::SessionEstablished>(record->event);
    while (auto reply = node.poll_reply()) answers += reply->answer.has_value() ? 1 : 0;
    while (node.poll_request()) continue;
    return out;
  }
  SocketAddress at;
  quic::Identity identity;
  Node node;
  bool up = false;
  std::size_t answers = 0;
};

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
