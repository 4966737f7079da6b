// A round of punching: when it begins, its pace, its limits, and each way in which it ends.
#include "nat/punch.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "unit/nat/punch_rig.hpp"

namespace pw::nat {

using Kind = PunchMessage::Kind;

TEST_CASE("the initiator opens half a round trip after its start message, and checks when the other is ready") {
  PunchRig rig{Method::punch};
  const Instant told = rig.now;
  rig.begin();
  REQUIRE(rig.said.size() == 1);
  CHECK(rig.last().kind == Kind::start);
  CHECK(rig.last().round == 3);
  CHECK(rig.last().method == Method::punch);
  rig.run_until(told + 79ms);
  REQUIRE(rig.orders.size() == 2);
  CHECK(rig.orders[0].when == told + 40ms);
  CHECK(rig.orders[1].when == told + 45ms);
  for (const auto& s : rig.orders) CHECK(s.order.ttl == 2);
  CHECK(rig.last().kind == Kind::ready);
  rig.run_until(told + 80ms);
  rig.hear({.kind = Kind::ready});
  rig.run_until(told + 90ms);
  REQUIRE(rig.orders.size() == 4);
  CHECK(rig.orders[2].when == told + 80ms);
  CHECK(rig.orders[2].order == Order{{IpAddress{}, at("10.0.0.9:9470"), Via::own}, 0});
}

TEST_CASE("the other end opens at receipt, says so once all openers are out, and checks when the initiator is ready") {
  PunchRig rig{Method::punch, Role::either, Role::either, false};
  const Instant told = rig.now;
  rig.begin();
  CHECK(rig.said.empty());
  rig.run_until(told + 40ms);
  REQUIRE(rig.said.size() == 1);
  CHECK(rig.last().kind == Kind::ready);
  CHECK(rig.orders.size() == 2);
  rig.hear({.kind = Kind::ready});
  rig.run_until(told + 50ms);
  REQUIRE(rig.orders.size() == 4);
  CHECK(rig.orders[0] == PunchRig::Sent{told, {{IpAddress{}, at("10.0.0.9:9470"), Via::own}, 2}});
  CHECK(rig.orders[2].when == told + 40ms);
  CHECK(rig.orders[2].order.ttl == 0);
}

TEST_CASE("an initiator that hears nothing checks in the end, and then blames the coordination") {
  PunchRig rig{Method::punch};
  const Instant told = rig.now;
  rig.begin();
  rig.run_until(told + 1199ms);
  CHECK(rig.orders.size() == 2);
  rig.run_until(told + 10s);
  CHECK(rig.orders.size() > 10);
  REQUIRE(rig.punch->end());
  CHECK(rig.punch->end()->failure == PunchFailure::coordination);
  CHECK(rig.last() == PunchMessage{.kind = Kind::cancel, .round = 3, .failure = PunchFailure::coordination});
  CHECK(rig.punch->poll_timeout() == kNever);
}

TEST_CASE("checks are five milliseconds apart, and repeated at doubling intervals up to a number") {
  PunchRig rig{Method::punch, Role::either, Role::either, false};
  rig.task.theirs.clear();
  for (int i = 0; i < 16; ++i)
    rig.task.theirs.push_back({CandidateKind::host, {at("10.0.0.9:1").ip, static_cast<std::uint16_t>(1000 + i)}, Via::own, 1});
  rig.begin();
  rig.run_until(rig.now + 20s);
  for (std::size_t i = 1; i < rig.orders.size(); ++i)
    CHECK(rig.orders[i].when - rig.orders[i - 1].when >= Punch::kPace);
  CHECK(rig.orders.size() == 16 * (1 + CheckSchedule::kChecks));
  std::vector<Instant> one;
  for (const auto& s : rig.orders)
    if (s.order.path.remote.port == 1000 && s.order.ttl == 0) one.push_back(s.when);
  REQUIRE(one.size() == CheckSchedule::kChecks);
  for (std::size_t i = 1; i < one.size(); ++i) {
    const Duration wait = std::min<Duration>(100ms * (1 << (i - 1)), CheckSchedule::kMostTimeout);
    CHECK(one[i] - one[i - 1] >= wait);
    CHECK(one[i] - one[i - 1] < wait + 100ms);
  }
}

TEST_CASE("relayed candidates are not punched, and only host candidates where the plan says so") {
  PunchRig rig{Method::none, Role::either, Role::either, false};
  rig.task.plan.families[0].plain = Plain::hosts;
  rig.task.plan.families[0].why = Why::infeasible;
  rig.task.theirs.push_back({CandidateKind::relayed, at("192.0.2.200:9470"), Via::own, 1});
  rig.begin();
  rig.run_until(rig.now + 6s);
  CHECK(rig.orders.size() == 1 + CheckSchedule::kChecks);
  for (const auto& s : rig.orders) CHECK(s.order.path.remote == at("10.0.0.9:9470"));
  CHECK(rig.punch->end()->failure == PunchFailure::infeasible);
  CHECK(rig.punch->end()->detail == describe(Why::infeasible));
}

TEST_CASE("a round with nothing to try ends at once, without a packet") {
  PunchRig rig{Method::none};
  for (const auto& [why, failure] : {std::pair{Why::infeasible, PunchFailure::infeasible},
                                     {Why::udp_blocked, PunchFailure::infeasible},
                                     {Why::no_candidates, PunchFailure::no_candidates}}) {
    rig.task.plan.families[0] = {.why = why};
    rig.begin();
    REQUIRE(rig.punch->end());
    CHECK(rig.punch->end()->failure == failure);
    CHECK(rig.punch->end()->method == Traversal::none);
  }
  CHECK(rig.said.empty());
  CHECK(rig.orders.empty());
}

TEST_CASE("a proof ends the round with success, and tells the other") {
  PunchRig rig{Method::punch};
  rig.begin();
  rig.run_until(rig.now + 60ms);
  rig.punch->handle_proved(rig.now, {IpAddress{}, at("192.0.2.9:9470"), Via::own});
  rig.drain();
  REQUIRE(rig.punch->end());
  CHECK(rig.punch->end()->result == PunchResult::success);
  CHECK(rig.punch->end()->method == Traversal::punch);
  CHECK(rig.punch->end()->failure == PunchFailure::none);
  CHECK_FALSE(rig.punch->won());
  CHECK(rig.last().kind == Kind::done);
  CHECK_FALSE(rig.hear({.kind = Kind::done}));
}

TEST_CASE("a proof through a mapped port is called that") {
  PunchRig rig{Method::punch};
  rig.task.theirs.push_back({CandidateKind::port_mapped, at("192.0.2.9:20000"), Via::own, 1});
  rig.begin();
  rig.punch->handle_proved(rig.now, {IpAddress{}, at("192.0.2.9:20000"), Via::own});
  CHECK(rig.punch->end()->method == Traversal::port_mapping);
}

TEST_CASE("where the other end has proved a path and this one can't, validation has failed") {
  PunchRig rig{Method::punch};
  rig.begin();
  rig.run_until(rig.now + 80ms);
  rig.hear({.kind = Kind::ready});
  rig.hear({.kind = Kind::done});
  rig.run_until(rig.now + 1900ms);
  CHECK_FALSE(rig.punch->end());
  rig.run_until(rig.now + 200ms);
  REQUIRE(rig.punch->end());
  CHECK(rig.punch->end()->failure == PunchFailure::validation);
}

TEST_CASE("a round in which nothing is proved ends with its time, or with the other's") {
  PunchRig rig{Method::punch};
  rig.begin();
  rig.run_until(rig.now + 80ms);
  rig.hear({.kind = Kind::ready});
  rig.run_until(rig.now + 4900ms);
  CHECK_FALSE(rig.punch->end());
  rig.run_until(rig.now + 100ms);
  CHECK(rig.punch->end()->failure == PunchFailure::timeout);

  PunchRig other{Method::punch};
  other.begin();
  other.hear({.kind = Kind::cancel, .failure = PunchFailure::timeout});
  CHECK(other.punch->end()->failure == PunchFailure::timeout);
  PunchRig third{Method::punch};
  third.begin();
  third.hear({.kind = Kind::cancel, .failure = PunchFailure::budget});
  CHECK(third.punch->end()->failure == PunchFailure::coordination);
}

TEST_CASE("cancelled is neither success nor failure, whoever did it") {
  PunchRig rig{Method::punch};
  rig.begin();
  rig.punch->cancel();
  rig.drain();
  CHECK(rig.punch->end()->result == PunchResult::cancelled);
  CHECK(rig.last() == PunchMessage{.kind = Kind::cancel, .round = 3});
  PunchRig other{Method::punch};
  other.begin();
  other.hear({.kind = Kind::cancel});
  CHECK(other.punch->end()->result == PunchResult::cancelled);
}

TEST_CASE("messages of another round, out of turn or of another plan change nothing or end the round") {
  PunchRig rig{Method::punch};
  rig.begin();
  CHECK_FALSE(rig.punch->handle_message(rig.now, {.kind = Kind::ready, .round = 4}));
  CHECK_FALSE(rig.hear({.kind = Kind::start, .method = Method::punch}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 1, .count = 1}));
  PunchRig other{Method::punch, Role::either, Role::either, false};
  other.make();
  CHECK_FALSE(other.hear({.kind = Kind::ready}));
  CHECK_FALSE(other.hear({.kind = Kind::done}));
  CHECK(other.hear({.kind = Kind::start, .method = Method::birthday, .family = Family::v4}));
  REQUIRE(other.punch->end());
  CHECK(other.punch->end()->failure == PunchFailure::coordination);
  CHECK(other.last().kind == Kind::cancel);
  CHECK(other.orders.empty());
}

TEST_CASE("a budget that gives nothing stops every packet, and is named") {
  PunchRig rig{Method::punch, Role::either, Role::either, false};
  rig.packets = TokenBucket{0.0001, 3};
  rig.begin();
  rig.run_until(rig.now + 6s);
  CHECK(rig.orders.size() == 3);
  CHECK(rig.punch->end()->failure == PunchFailure::budget);
}

TEST_CASE("everything opened is closed on every way out, but for the socket that won") {
  for (const Method method : {Method::prediction, Method::birthday}) {
    for (const int way : {0, 1, 2, 3, 4, 5}) {
      INFO(name(method) << " " << way);
      PunchRig rig{method, Role::hard, method == Method::prediction ? Role::hard : Role::easy, false};
      rig.begin();
      rig.run_until(rig.now + 50ms);
      REQUIRE(rig.open() >= 8);
      const Via one = rig.opened.back();
      switch (way) {
        case 0: rig.punch->cancel(); break;
        case 1: rig.hear({.kind = Kind::cancel}); break;
        case 2: rig.hear({.kind = Kind::cancel, .failure = PunchFailure::budget}); break;
        case 3: rig.run_until(rig.now + 20s); break;
        case 4: rig.punch->handle_proved(rig.now, {IpAddress{}, at("10.0.0.9:9470"), Via::own}); break;
        default: rig.punch->handle_proved(rig.now, {IpAddress{}, at("192.0.2.9:9470"), one}); break;
      }
      rig.drain();
      REQUIRE(rig.punch->end());
      CHECK(rig.open() == (way == 5 ? 1 : 0));
      CHECK(rig.punch->won() == (way == 5 ? std::optional{one} : std::nullopt));
      if (way == 5) CHECK(rig.punch->end()->method == (method == Method::birthday ? Traversal::birthday : Traversal::prediction));
      CHECK(std::set<Via>(rig.closed.begin(), rig.closed.end()).size() == rig.closed.size());
      CHECK_FALSE(rig.search.taken());
    }
  }
}

TEST_CASE("a round that dies gives its search back") {
  PunchRig rig{Method::birthday, Role::hard, Role::easy};
  rig.begin();
  CHECK(rig.search.taken());
  rig.punch.reset();
  CHECK_FALSE(rig.search.taken());
}

TEST_CASE("without sockets a hard end fails by its budget") {
  for (const Role remote : {Role::hard, Role::easy}) {
    for (const Method method : {Method::prediction, Method::birthday}) {
      if (method == Method::birthday && remote == Role::hard) continue;
      PunchRig rig{method, Role::hard, remote, false};
      rig.no_sockets = true;
      rig.begin();
      REQUIRE(rig.punch->end());
      CHECK(rig.punch->end()->failure == PunchFailure::budget);
      CHECK(rig.closed.empty());
    }
  }
}

}  // namespace pw::nat
