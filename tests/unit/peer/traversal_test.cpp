// What one end tells of its addresses, and what it makes of the other's.
#include <catch2/catch_test_macros.hpp>

#include <set>

#include "path/candidates.hpp"
#include "traversal_fixture.hpp"

using namespace pw;
using namespace pw::peer;

TEST_CASE("what is told is told once, and again when it is another, but not in a flood") {
  TraversalFixture f;
  f.settle(f.now, false);
  CHECK(f.told() == 1);
  f.settle(f.now + 10s, false);
  CHECK(f.told() == 0);
  CHECK(f.traversal.next_timeout() == kNever);
  f.now += 10s;
  for (int i = 0; i < 150; ++i) {
    f.context.whereabouts.message.candidates[0].priority += 1;
    ++f.context.whereabouts.revision;
    f.traversal.whereabouts_changed(f.now);
    f.settle(f.now, false);
    f.now += 20ms;
  }
  CHECK(f.told() == Traversal::kTellBurst + 3 - 1);  // one within each of three seconds; the last is to come
  f.now += Traversal::kTellApart;
  CHECK(f.traversal.next_timeout() <= f.now);
  f.settle(f.now, false);
  CHECK(f.told() == 1);
  f.now += Traversal::kTellApart;
  SECTION("nothing more when traversal is switched off") {
    f.context.whereabouts.told = false;
    ++f.context.whereabouts.revision;
    f.traversal.whereabouts_changed(f.now);
    f.settle(f.now + 5s, false);
    const auto last = f.traversal.poll_message();
    REQUIRE(last);
    CHECK(std::get<wire::Candidates>(*last) == wire::Candidates{});
  }
  SECTION("and what could not be sent is said again") {
    f.traversal.say_again(f.now);
    f.settle(f.now, false);
    CHECK(f.told() == 0);
    f.settle(f.now + Traversal::kTellApart, false);
    CHECK(f.told() == 1);
  }
}

TEST_CASE("a peer's addresses are checked while no path is direct, and again with back-off") {
  TraversalFixture f;
  const auto list = TraversalFixture::listing({"203.0.113.1:9470", "[2001:db8::7]:9470"});
  f.hear(list, true);
  CHECK(f.ordered().empty());
  CHECK(f.traversal.next_timeout() == kNever);
  f.told();
  f.now += 5s;
  f.settle(f.now, false);  // the direct path is lost
  CHECK(f.ordered() == std::vector<std::string>{"203.0.113.1:9470", "[2001:db8::7]:9470"});
  unsigned again = 0;
  for (int second = 0; second < 3600; ++second) {
    f.now += 1s;
    f.settle(f.now, false);
    again += !f.ordered().empty();
  }
  CHECK(again >= 6);
  CHECK(again < 30);
  f.now += 1h;
  f.settle(f.now, true);
  f.now += 1h;
  f.settle(f.now, true);
  CHECK((f.traversal.next_timeout() == kNever));
}

TEST_CASE("addresses that can be nobody's, or are ours, are refused, each with its reason") {
  TraversalFixture f;
  f.hear(TraversalFixture::listing({"127.0.0.1:9470", "224.0.0.1:9470", "0.0.0.0:9470", "255.255.255.255:9470", "169.254.1.1:1",
                           "240.0.0.1:1", "198.51.100.1:9471", "192.168.1.1:9470", "203.0.113.1:0", "203.0.113.2:7",
                           "203.0.113.2:7", "[::1]:1", "[ff02::1]:1"}));
  CHECK(f.ordered() == std::vector<std::string>{"203.0.113.2:7"});
  for (const auto& [why, count] : std::vector<std::pair<Refusal, unsigned>>{{Refusal::loopback, 2},
                                                                           {Refusal::multicast, 2},
                                                                           {Refusal::unspecified, 1},
                                                                           {Refusal::broadcast, 1},
                                                                           {Refusal::link_local, 1},
                                                                           {Refusal::reserved, 1},
                                                                           {Refusal::own, 1},
                                                                           {Refusal::gateway, 1},
                                                                           {Refusal::no_port, 1},
                                                                           {Refusal::duplicate, 1}}) {
    INFO(name(why));
    CHECK(f.refused(why) == count);
  }
}

TEST_CASE("however a peer lists others' addresses, few of them are checked") {
  TraversalFixture f;
  std::vector<std::string> ports;
  for (int i = 1; i <= 60; ++i) ports.push_back("203.0.113.9:" + std::to_string(i));
  f.hear(TraversalFixture::listing(ports));
  CHECK(f.ordered().size() == Traversal::kMaxOfOneAddress);
  CHECK(f.refused(Refusal::too_many) == 60 - Traversal::kMaxOfOneAddress);

  // As many messages as a second has room for, each with others.
  std::size_t checked = 0;
  for (int i = 0; i < 600; ++i) {
    std::vector<std::string> addresses;
    for (int k = 1; k <= 64; ++k) addresses.push_back("203.0." + std::to_string(i % 250) + "." + std::to_string(k) + ":5");
    f.hear(TraversalFixture::listing(addresses));
    checked += f.ordered().size();
    f.now += 100ms;
  }
  CHECK(checked > 0);
  CHECK(static_cast<double>(checked) <= Traversal::kChecksBurst + Traversal::kChecksPerSecond * 60);
}

TEST_CASE("addresses are judged by the network that this node is in when it checks them") {
  TraversalFixture f;
  f.hear(TraversalFixture::listing({"192.168.7.1:53", "203.0.113.2:7"}), true);
  CHECK(f.refused(Refusal::gateway) == 0);
  f.context.whereabouts.around.own = {*IpAddress::parse("203.0.113.2")};
  f.context.whereabouts.around.gateways = {*IpAddress::parse("192.168.7.1")};
  f.traversal.whereabouts_changed(f.now);
  f.settle(f.now, false);
  f.settle(f.now + Traversal::kSettle, false);
  CHECK(f.ordered().empty());
  f.context.whereabouts.around = {};  // where these are strangers again
  f.traversal.whereabouts_changed(f.now + 1s);
  f.settle(f.now + 2s, false);
  CHECK(f.ordered() == std::vector<std::string>{"192.168.7.1:53", "203.0.113.2:7"});
}

TEST_CASE("nothing goes where this node has no address of the family") {
  TraversalFixture f;
  f.context.whereabouts.families = {true, false};
  f.hear(TraversalFixture::listing({"[2001:db8::7]:9470", "203.0.113.2:7"}));
  CHECK(f.ordered() == std::vector<std::string>{"203.0.113.2:7"});
}

TEST_CASE("a new connection is no new budget, and the network that flaps no more attempts") {
  TraversalFixture f;
  std::size_t checked = 0;
  for (int i = 0; i < 600; ++i) {
    Traversal one{f.context, f.peer, f.budget};
    one.settle(f.now, {{}, 40ms});
    one.handle(f.now, TraversalFixture::listing({"203.0.113.9:1", "203.0.113.9:2", "203.0.113.9:3"}));
    one.whereabouts_changed(f.now);
    one.settle(f.now, {{}, 40ms});
    one.settle(f.now + 90ms, {{}, 40ms});
    while (one.poll_candidate()) ++checked;
    f.now += 100ms;
  }
  CHECK(checked > 0);
  CHECK(static_cast<double>(checked) <= 3 * (Traversal::kAttemptsBurst + Traversal::kAttemptsPerSecond * 60));
}

TEST_CASE("of messages that come too fast the last is not lost") {
  TraversalFixture f;
  for (int i = 1; i <= 50; ++i) f.hear(TraversalFixture::listing({"203.0.113." + std::to_string(i) + ":9470"}), true);
  for (int i = 0; i < 10; ++i, f.now += 1s) f.settle(f.now, true);
  CHECK(f.traversal.next_timeout() == kNever);
  f.settle(f.now, false);
  CHECK(f.ordered() == std::vector<std::string>{"203.0.113.50:9470"});
}

TEST_CASE("whom the budget does not suffice for is checked the next time") {
  TraversalFixture f;
  std::vector<std::string> all;
  for (int i = 1; i <= 16; ++i) all.push_back("203.0.113." + std::to_string(i) + ":9470");
  f.budget.checks = TokenBucket{0.25, 4};
  f.hear(TraversalFixture::listing(all));
  std::set<std::string> checked;
  for (int i = 0; i < 600; ++i, f.now += 1s) {
    f.settle(f.now, false);
    for (const std::string& one : f.ordered()) checked.insert(one);
  }
  CHECK(checked.size() == 16);
}

TEST_CASE("every address that a budget holds back is counted, by the budget that does") {
  std::vector<std::string> all;
  for (int i = 1; i <= 16; ++i) all.push_back("203.0.113." + std::to_string(i) + ":9470");
  const auto held_back = [](const TraversalFixture& f, event::Budget budget) {
    return f.context.denied[static_cast<std::size_t>(budget)];
  };
  TraversalFixture of_peer;
  of_peer.budget.checks = TokenBucket{0.25, 4};
  of_peer.hear(TraversalFixture::listing(all));
  CHECK(of_peer.ordered().size() == 4);
  CHECK(held_back(of_peer, event::Budget::checks) == 12);
  CHECK(held_back(of_peer, event::Budget::packets) == 0);

  TraversalFixture of_node;  // seven packets for each
  of_node.context.packets = TokenBucket{1, 3 * path::Candidates::kTries};
  of_node.hear(TraversalFixture::listing(all));
  CHECK(of_node.ordered().size() == 3);
  CHECK(held_back(of_node, event::Budget::packets) == 13 * path::Candidates::kTries);
  CHECK(held_back(of_node, event::Budget::checks) == 0);
}

TEST_CASE("however often a peer begins rounds, few packets follow") {
  TraversalFixture f;
  std::vector<std::string> addresses;
  for (int k = 1; k <= 16; ++k) addresses.push_back("203.0.113." + std::to_string(k) + ":5");
  wire::Candidates list = TraversalFixture::listing(addresses);
  for (wire::Candidate& c : list.candidates) c.kind = 2;
  f.hear(list);
  unsigned packets = 0;
  unsigned declined = 0;
  for (std::uint32_t round = 0; round < 600; ++round) {
    f.traversal.handle(f.now, wire::Punch{.kind = 1, .round = round, .method = 1});
    for (int i = 0; i < 10; ++i) {
      f.settle(f.now, false);
      while (f.traversal.poll_packet(f.now)) ++packets;
      f.now += 10ms;
    }
    while (const auto message = f.traversal.poll_message())
      if (const auto* punch = std::get_if<wire::Punch>(&*message)) declined += punch->kind == 5 && punch->failure == 6;
  }
  const auto rounds = f.all<event::TraversalStarted>().size();
  CHECK(rounds >= static_cast<std::size_t>(Traversal::kRoundsBurst));
  CHECK(rounds <= static_cast<std::size_t>(Traversal::kRoundsBurst + Traversal::kRoundsPerSecond * 60));
  CHECK(declined == 600 - rounds);
  CHECK(packets > 0);
  CHECK(packets <= rounds * 16 * 8);
  CHECK(f.all<event::TraversalEnded>().size() + 1 >= rounds);
}

TEST_CASE("that nothing leads through two NATs is told once, and again when they are others") {
  TraversalFixture f;
  const wire::NatVerdict hard{.family = Family::v4, .udp = 2, .mapping = 4, .filtering = 3, .allocation = 3, .mapped = {}};
  f.context.whereabouts.message.nats = {hard};
  wire::Candidates theirs = TraversalFixture::listing({"203.0.113.1:9470"});
  theirs.nats = {hard};
  f.hear(theirs);
  for (int i = 0; i < 600; ++i) f.settle(f.now += 1s, false);
  auto ended = f.all<event::TraversalEnded>();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].failure == event::TraversalFailure::infeasible);
  CHECK(ended[0].method == event::TraversalMethod::none);
  CHECK(ended[0].local_nat == event::NatType::symmetric);
  CHECK_FALSE(ended[0].took);
  CHECK(f.all<event::TraversalStarted>().at(0).trigger == event::TraversalTrigger::initial);
  theirs.nats[0].allocation = 2;
  theirs.nats[0].step = 1;
  f.hear(theirs);
  for (int i = 0; i < 600; ++i) f.settle(f.now += 1s, false);
  ended = f.all<event::TraversalEnded>();
  REQUIRE(ended.size() == 2);
  CHECK(ended[1].remote_nat == event::NatType::symmetric_predictable);
  CHECK(f.all<event::TraversalStarted>().at(1).trigger == event::TraversalTrigger::network_change);
}

TEST_CASE("a round that is under way when the session ends is told as cancelled") {
  TraversalFixture f;
  wire::Candidates theirs = TraversalFixture::listing({"203.0.113.1:9470"});
  f.hear(theirs);
  f.traversal.handle(f.now, wire::Punch{.kind = 1, .round = 0, .method = 1});
  f.traversal.abandon(f.now + 1s);
  const auto ended = f.all<event::TraversalEnded>();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].result == event::TraversalResult::cancelled);
  CHECK(ended[0].took == 1s);
}

TEST_CASE("a direct path that the other end has lost already is no success of its round") {
  TraversalFixture f;
  const PathAddress old{{}, *SocketAddress::parse("203.0.113.1:9470")};
  const PathAddress other{{}, *SocketAddress::parse("203.0.113.1:9999")};
  const auto settle = [&](const std::optional<PathAddress>& path) { f.traversal.settle(f.now += 10ms, {path, 40ms}); };
  f.hear(TraversalFixture::listing({"203.0.113.1:9470"}), true);
  settle(old);
  f.traversal.handle(f.now, wire::Punch{.kind = 1, .round = 0, .method = 1});
  settle(old);
  CHECK(f.all<event::TraversalEnded>().empty());
  SECTION("another path is") { settle(other); }
  SECTION("so is the same once it was lost here, too") {
    settle(std::nullopt);
    settle(old);
  }
  SECTION("or was proved since") { f.traversal.settle(f.now, {old, 40ms, f.now}); }
  SECTION("or where the other end has proved it, too") {
    f.traversal.handle(f.now, wire::Punch{.kind = 4, .round = 0});
    settle(old);
  }
  REQUIRE(f.all<event::TraversalEnded>().size() == 1);
  CHECK(f.all<event::TraversalEnded>()[0].result == event::TraversalResult::success);
}

TEST_CASE("a round that comes to nothing at the other end has not failed where a direct path is alive") {
  TraversalFixture f;
  const PathAddress old{{}, *SocketAddress::parse("203.0.113.1:9470")};
  f.hear(TraversalFixture::listing({"203.0.113.1:9470"}), true);
  f.traversal.handle(f.now, wire::Punch{.kind = 1, .round = 0, .method = 1});
  f.traversal.settle(f.now += 10ms, {old, 40ms});
  f.traversal.handle(f.now, wire::Punch{.kind = 5, .round = 0, .failure = 2});
  f.traversal.settle(f.now += 10ms, {old, 40ms});
  REQUIRE(f.all<event::TraversalEnded>().size() == 1);
  CHECK(f.all<event::TraversalEnded>()[0].result == event::TraversalResult::cancelled);
  CHECK(f.all<event::TraversalEnded>()[0].failure == event::TraversalFailure::none);
}

TEST_CASE("an attempt waits for what it is planned with to be told") {
  TraversalFixture f;
  f.hear(TraversalFixture::listing({"203.0.113.1:9470"}));
  f.ordered();
  const auto change = [&] {
    f.context.whereabouts.message.candidates[0].priority += 1;
    ++f.context.whereabouts.revision;
    f.traversal.whereabouts_changed(f.now);
    f.settle(f.now, false);
  };
  for (int i = 0; i < 4; ++i) change();  // more than may be told at once
  f.told();
  for (; f.ordered().empty(); f.settle(f.now, false)) {
    REQUIRE(f.traversal.next_timeout() > f.now);
    REQUIRE(f.traversal.next_timeout() < f.now + 2s);
    f.now = f.traversal.next_timeout();
  }
  CHECK(f.told() == 1);
}
