#include "path/candidates.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::path;
using event::PathKind;

namespace {
constexpr Instant kStart{std::chrono::hours{1}};

Named at(const std::string& remote) { return {{{}, SocketAddress::parse(remote).value()}, PathKind::direct_v4}; }
/// Runs until `end`: how many checks went out; who was given up counts in `over`.
std::size_t run(Candidates& c, Instant end, std::size_t& over) {
  std::size_t sent = 0;
  for (Instant now = c.next_timeout(); now <= end; now = c.next_timeout()) {
    while (c.poll_due(now)) ++sent;
    while (c.poll_given_up(now)) ++over;
  }
  return sent;
}
}  // namespace

TEST_CASE("an address is checked seven times, then given up") {
  Candidates c;
  REQUIRE(c.order(kStart, at("9.0.0.1:1")));
  std::size_t over = 0;
  CHECK(run(c, kStart + 12s, over) == Candidates::kTries);
  CHECK(over == 0);
  CHECK(run(c, kStart + 13s, over) == 0);
  CHECK(over == 1);
  CHECK(c.size() == 0);
  CHECK(c.next_timeout() == kNever);
}

TEST_CASE("an address is not given up while the peer's checks come from it, and gets one of ours a second") {
  Candidates c;
  REQUIRE(c.trigger(kStart, at("9.0.0.1:1")));
  std::size_t over = 0;
  std::size_t sent = 0;
  for (int i = 1; i <= 600; ++i) {
    sent += run(c, kStart + i * 100ms, over);
    REQUIRE(c.trigger(kStart + i * 100ms, at("9.0.0.1:1")));
  }
  CHECK(over == 0);
  CHECK(sent <= 60 + Candidates::kTries);
  CHECK(sent >= 50);
  run(c, kStart + 60s + Candidates::kSteadyPace + Candidates::kMaxPace, over);
  CHECK(over == 1);
  CHECK(c.size() == 0);
}

TEST_CASE("all triggered checks together keep to one budget, which ordered ones don't take from") {
  Candidates c;
  std::size_t sent = 0;
  std::size_t over = 0;
  constexpr int kSeconds = 60;
  for (int i = 0; i < kSeconds * 10; ++i) {
    const Instant now = kStart + i * 100ms;
    for (int j = 0; j < 3; ++j) c.trigger(now, at("9.0.0." + std::to_string(1 + j) + ":" + std::to_string(1 + i / 30)));
    sent += run(c, now, over);
    CHECK(c.size() <= Candidates::kMax);
  }
  CHECK(static_cast<double>(sent) <= Candidates::kTriggeredBurst + Candidates::kTriggeredPerSecond * kSeconds);
  CHECK(static_cast<double>(sent) > Candidates::kTriggeredPerSecond * kSeconds / 2);
}

TEST_CASE("few new addresses are checked back, and who is heard stays among many who come and go") {
  Candidates c;
  REQUIRE(c.order(kStart, at("9.0.0.1:1")));
  REQUIRE(c.trigger(kStart, at("9.0.0.2:1")));
  std::size_t taken = 0;
  for (int i = 0; i < 600; ++i) {
    const Instant now = kStart + i * 100ms;
    taken += c.trigger(now, at("9.0.1.1:" + std::to_string(1 + i))) != nullptr;
    REQUIRE(c.trigger(now, at("9.0.0.2:1")));
    CHECK(c.size() <= Candidates::kMax);
  }
  CHECK(taken > 50);
  CHECK(static_cast<double>(taken) <= Candidates::kNewBurst + Candidates::kNewPerSecond * 60);
  CHECK(c.find(at("9.0.0.1:1").address));
  CHECK(c.find(at("9.0.0.2:1").address));
}

TEST_CASE("nobody is given up because this node was late") {
  Candidates c;
  REQUIRE(c.order(kStart, at("9.0.0.1:1")));
  std::size_t over = 0;
  run(c, kStart + 12s, over);
  c.node_was_late(kStart + 1min);
  CHECK_FALSE(c.poll_given_up(kStart + 1min));
  CHECK(c.poll_given_up(kStart + 1min + Candidates::kMaxPace));
}

TEST_CASE("a check of the peer's hastens ours, but not beyond the pace") {
  Candidates c;
  REQUIRE(c.order(kStart, at("9.0.0.1:1")));
  std::size_t over = 0;
  CHECK(run(c, kStart + 1s, over) == 3);  // at 0, 200 and 600 ms
  c.trigger(kStart + 1s, at("9.0.0.1:1"));
  CHECK(c.next_timeout() == kStart + 1s);
  CHECK(run(c, kStart + 1s, over) == 1);
  c.trigger(kStart + 1s + 1ms, at("9.0.0.1:1"));
  CHECK(c.next_timeout() == kStart + 1s + Candidates::kPace);
}

TEST_CASE("a local address of any is whichever the kernel takes") {
  const PathAddress any{{}, SocketAddress::parse("9.0.0.1:1").value()};
  PathAddress one = any;
  one.local = IpAddress::parse("10.0.0.1").value();
  PathAddress other = any;
  other.local = IpAddress::parse("10.0.0.2").value();
  CHECK(same_way(any, one));
  CHECK(same_way(one, any));
  CHECK_FALSE(same_way(one, other));
  other = any;
  other.via = Via{3};
  CHECK_FALSE(same_way(any, other));
  other = any;
  other.remote.port = 2;
  CHECK_FALSE(same_way(any, other));
}

TEST_CASE("nothing is sent to addresses that are nobody's") {
  for (const char* bad : {"127.0.0.1:9", "0.0.0.0:9", "0.1.2.3:9", "224.0.0.1:9", "255.255.255.255:9", "[::1]:9",
                          "[::]:9", "[ff02::1]:9", "[fe80::1]:9"}) {
    INFO(bad);
    CHECK_FALSE(may_check(at(bad).address, PathKind::direct_v4));
  }
  for (const char* good : {"9.0.0.1:9", "10.0.0.1:9", "192.168.1.1:9", "[2001:db8::1]:9", "[fd00::1]:9"}) {
    INFO(good);
    CHECK(may_check(at(good).address, PathKind::direct_v4));
  }
  CHECK_FALSE(may_check(PathAddress{{}, {IpAddress::parse("9.0.0.1").value(), 0}}, PathKind::direct_v4));
  CHECK(may_check(PathAddress{{}, {}, Via{7}}, PathKind::relay_quic));
}
