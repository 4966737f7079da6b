// A link with a rate: goodput, queueing delay, what does not fit. And conditions as programs see them through each of
// the three wires between two machines.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "sim/net/recorder.hpp"
#include "sim/net/statistics.hpp"

using namespace pw;
using namespace pw::net;

namespace {

constexpr std::size_t kHeaders = 28;

/// Two machines on a segment, and the three wires from the first to the second.
struct Pair {
  explicit Pair(std::uint64_t seed) : net{seed} {}
  Net net;
  Segment& lan = net.add_segment("lan");
  Recorder alice{net, lan, "alice", "10.0.0.1"};
  Recorder bob{net, lan, "bob", "10.0.0.2"};

  Wire& wire(int leg) {
    Interface& a = *alice.machine().interfaces()[0];
    Interface& b = *bob.machine().interfaces()[0];
    return leg == 0 ? a.up : leg == 1 ? lan.wire(a, b) : b.down;
  }
  Wire& way_back(int leg) {
    Interface& a = *alice.machine().interfaces()[0];
    Interface& b = *bob.machine().interfaces()[0];
    return leg == 0 ? a.down : leg == 1 ? lan.wire(b, a) : b.up;
  }
};

}  // namespace

TEST_CASE("goodput of a link with a rate is the rate, through each wire") {
  const int leg = GENERATE(0, 1, 2);
  Pair pair{1};
  constexpr double kRate = 125000;  // a megabit
  constexpr std::size_t kSize = 1000;
  pair.wire(leg).link = Link{.delay = 20ms, .rate = kRate};
  // Twice as much as it carries, for ten seconds.
  const std::string text(kSize - kHeaders, 'x');
  for (int i = 0; i < 2500; ++i) {
    pair.alice.send(pair.bob.address(), text);
    pair.net.run_until(pair.net.now() + 4ms);
  }
  const auto& got = pair.bob.got;
  REQUIRE(got.size() > 1000);
  const double seconds = to_seconds(got.back().at - got.front().at);
  const double goodput = static_cast<double>((got.size() - 1) * kSize) / seconds;
  CHECK(std::abs(goodput / kRate - 1) < 0.01);
}

TEST_CASE("the rate counts the headers of IPv4, IPv6 and UDP") {
  const bool v6 = GENERATE(false, true);
  Net net{1};
  Segment& lan = net.add_segment("lan");
  Recorder alice{net, lan, "alice", v6 ? "fd00::1" : "10.0.0.1", Link{.rate = 1000}};
  Recorder bob{net, lan, "bob", v6 ? "fd00::2" : "10.0.0.2"};
  alice.send(bob.address(), std::string(100, 'x'));
  net.run_until(net.now() + 1s);
  REQUIRE(bob.got.size() == 1);
  CHECK(bob.got[0].at == Net::kStart + (v6 ? 148ms : 128ms));
}

TEST_CASE("packets wait in the queue for those before them, and those that do not fit are dropped at the tail") {
  Pair pair{1};
  Log log{pair.net};
  pair.wire(0).link = Link{.delay = 5ms, .rate = 100000, .queue = 10000};  // 1000 bytes: 10 ms
  for (int i = 0; i < 15; ++i) pair.alice.send(pair.bob.address(), std::to_string(10 + i) + std::string(970, 'x'));
  pair.net.run_until(pair.net.now() + 1s);
  REQUIRE(pair.bob.got.size() == 10);
  for (int i = 0; i < 10; ++i) {
    CHECK(pair.bob.got[static_cast<std::size_t>(i)].at == Net::kStart + 10ms * (i + 1) + 5ms);
    CHECK(pair.bob.got[static_cast<std::size_t>(i)].text.starts_with(std::to_string(10 + i)));
  }
  CHECK(log.count(Drop::queue_full) == 5);
}

TEST_CASE("the queue drains while nothing is sent") {
  Pair pair{1};
  Log log{pair.net};
  pair.wire(0).link = Link{.rate = 100000, .queue = 3000};
  const std::string text(972, 'x');
  for (int i = 0; i < 3; ++i) pair.alice.send(pair.bob.address(), text);
  pair.net.run_until(pair.net.now() + 10ms);  // exactly one has left
  pair.alice.send(pair.bob.address(), text);
  pair.alice.send(pair.bob.address(), text);
  CHECK(log.count(Drop::queue_full) == 1);
  pair.net.run_until(pair.net.now() + 1s);
  CHECK(pair.bob.got.size() == 4);
  CHECK(pair.bob.got.back().at == Net::kStart + 40ms);
  pair.alice.send(pair.bob.address(), text);  // long idle: no credit, no debt
  pair.net.run_until(pair.net.now() + 1s);
  CHECK(pair.bob.got.back().at == Net::kStart + 1010ms + 10ms);
}

TEST_CASE("an idle link takes a packet that is larger than its queue") {
  Pair pair{1};
  pair.wire(0).link = Link{.rate = 100000, .queue = 100};
  pair.alice.send(pair.bob.address(), std::string(972, 'x'));
  pair.alice.send(pair.bob.address(), "not this one");
  pair.net.run_until(pair.net.now() + 1s);
  CHECK(pair.bob.got.size() == 1);
}

TEST_CASE("what is lost behind the rate has used it") {
  Pair pair{1};
  pair.wire(0).link = Link{.loss = 0.5, .rate = 100000, .queue = 1U << 30};
  for (int i = 0; i < 10000; ++i) pair.alice.send(pair.bob.address(), std::string(972, 'x'));
  pair.net.run_until(pair.net.now() + 200s);
  CHECK(share_is(pair.bob.got.size(), 10000, 0.5));
  CHECK(pair.bob.got.back().at > Net::kStart + 99s);
  CHECK(pair.bob.got.back().at <= Net::kStart + 100s);
}

TEST_CASE("RTT is the sum of both ways' delays, through each wire") {
  const int leg = GENERATE(0, 1, 2);
  Pair pair{1};
  pair.wire(leg).link = Link{.delay = 7ms};
  pair.way_back(leg).link = Link{.delay = 30ms};
  pair.bob.on_arrival = [&](Instant, const Arrival& a) { pair.bob.send(a.path.remote, as_text(a.bytes)); };
  pair.alice.send(pair.bob.address(), "ping");
  pair.net.run_until(pair.net.now() + 1s);
  REQUIRE(pair.alice.got.size() == 1);
  CHECK(pair.alice.got[0].at - Net::kStart == 37ms);
}

TEST_CASE("RTT under jitter has the mean and the bounds that both ways' jitter gives it") {
  const int leg = GENERATE(0, 1, 2);
  const auto seed = GENERATE(range(1U, 4U));
  Pair pair{seed};
  pair.wire(leg).link = Link{.delay = 10ms, .jitter = 6ms};
  pair.way_back(leg).link = Link{.delay = 10ms, .jitter = 3ms};
  pair.bob.on_arrival = [&](Instant, const Arrival& a) { pair.bob.send(a.path.remote, as_text(a.bytes)); };
  constexpr std::size_t kPings = 5000;
  double mean = 0;
  for (std::size_t i = 0; i < kPings; ++i) {
    const Instant sent = pair.net.now();
    pair.alice.send(pair.bob.address(), "ping");
    pair.net.run_until(sent + 100ms);
    const Duration rtt = pair.alice.got.back().at - sent;
    CHECK((rtt >= 20ms && rtt <= 29ms));
    mean += to_seconds(rtt) / kPings;
  }
  CHECK(pair.alice.got.size() == kPings);
  CHECK(mean_is(mean, kPings, 0.0245, std::sqrt((0.006 * 0.006 + 0.003 * 0.003) / 12)));
}

TEST_CASE("loss seen by programs is the loss declared, through each wire and through all of them") {
  const auto seed = GENERATE(range(1U, 4U));
  const int leg = GENERATE(0, 1, 2, 3);
  Pair pair{seed};
  for (int l = 0; l < 3; ++l)
    if (leg == l || leg == 3) pair.wire(l).link.loss = 0.1;
  constexpr std::size_t kPackets = 20000;
  for (std::size_t i = 0; i < kPackets; ++i) pair.alice.send(pair.bob.address(), "x");
  pair.net.run_until(pair.net.now() + 1s);
  CHECK(share_is(pair.bob.got.size(), kPackets, leg == 3 ? 0.9 * 0.9 * 0.9 : 0.9));
}

TEST_CASE("a fault of one direction leaves the other alone, on each wire") {
  const int leg = GENERATE(0, 1, 2);
  Pair pair{1};
  pair.wire(leg).link.up = false;
  pair.alice.send(pair.bob.address(), "lost");
  pair.bob.send(pair.alice.address(), "heard");
  pair.net.run_until(pair.net.now() + 1s);
  CHECK(pair.bob.got.empty());
  CHECK(pair.alice.texts() == std::vector<std::string>{"heard"});
}

TEST_CASE("the smallest MTU on the way decides, also where nothing else happens to packets") {
  const int leg = GENERATE(0, 1, 2, 3);
  Pair pair{1};
  Log log{pair.net};
  const std::size_t mtu = leg == 3 ? 1500 : 1300;  // 3: links as they are by default
  if (leg < 3) pair.wire(leg).link.mtu = mtu;
  pair.alice.send(pair.bob.address(), std::string(mtu - kHeaders, 'x'));
  pair.alice.send(pair.bob.address(), std::string(mtu - kHeaders + 1, 'x'));
  pair.net.run_until(pair.net.now() + 1s);
  CHECK(pair.bob.got.size() == 1);
  CHECK(log.count(Drop::too_big) == 1);
}

TEST_CASE("conditions that change take effect for the next packet, not for those under way") {
  Pair pair{1};
  pair.wire(1).link = Link{.delay = 100ms};
  pair.alice.send(pair.bob.address(), "slow");
  pair.wire(1).link = Link{.delay = 1ms};
  pair.alice.send(pair.bob.address(), "fast");
  pair.wire(1).link.up = false;
  pair.alice.send(pair.bob.address(), "never");
  pair.net.run_until(pair.net.now() + 1s);
  CHECK(pair.bob.texts() == std::vector<std::string>{"fast", "slow"});
}
