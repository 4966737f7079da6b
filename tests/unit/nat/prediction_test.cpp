// Prediction: what a hard end measures and tells, where an easy end aims, and two hard ends that aim at each other.
#include "nat/prediction.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "unit/nat/punch_rig.hpp"

namespace pw::nat {

using Kind = PunchMessage::Kind;

namespace {

std::vector<Order> with_low_ttl(const PunchRig& rig) {
  std::vector<Order> all;
  for (const auto& s : rig.orders)
    if (s.order.ttl != 0 && s.order.path.via != Via::own) all.push_back(s.order);
  return all;
}

}  // namespace

TEST_CASE("a hard end measures its port, opens its flows at once, measures again, and tells what lies in between") {
  PunchRig rig{Method::prediction, Role::hard, Role::easy, false};
  rig.begin();
  // One moment: a question, the flows, a question.
  REQUIRE(rig.asked.size() == 2);
  CHECK(rig.asked[0].path.remote == at("192.0.2.53:3478"));
  CHECK(rig.asked[0].path.via != rig.asked[1].path.via);
  const auto flows = with_low_ttl(rig);
  REQUIRE(flows.size() == Bracket::kSenders);
  for (const Order& o : flows) {
    CHECK(o.path.remote == at("192.0.2.9:9470"));  // the one that was observed
    CHECK(o.ttl == 2);
  }
  CHECK(rig.answer(50000 + 2 * 7, 0));
  CHECK(rig.answer(50000, 1));
  CHECK(rig.last() == PunchMessage{.kind = Kind::sample, .round = 3, .first = 50002, .step = 2, .count = 6});
  CHECK(rig.open() == Bracket::kSenders + 2);
}

TEST_CASE("ports that don't fit the step, or wrapped around, are measured again from new sockets, and at last given up") {
  for (const int after : {50009, 50004, 49000, 50000 + 2 * 66}) {
    INFO(after);
    PunchRig rig{Method::prediction, Role::hard, Role::easy, false};
    rig.begin();
    for (int attempt = 0; attempt < Bracket::kAttempts; ++attempt) {
      CHECK_FALSE(rig.punch->end());
      REQUIRE(rig.asked.size() == 2 * static_cast<std::size_t>(attempt + 1));
      const std::size_t before = rig.asked.size() - 2;
      rig.answer(static_cast<std::uint16_t>(after), 0);
      rig.answer(50000, rig.asked.size() - 1 - before);
    }
    REQUIRE(rig.punch->end());
    CHECK(rig.punch->end()->failure == PunchFailure::infeasible);
    CHECK(rig.open() == 0);
  }
}

TEST_CASE("a question that is lost is asked again three times, then the attempt is another") {
  PunchRig rig{Method::prediction, Role::hard, Role::easy, false};
  rig.begin();
  const Instant began = rig.now;
  rig.run_until(began + 699ms);
  CHECK(rig.asked.size() == 6);
  rig.run_until(began + 710ms);
  CHECK(rig.asked.size() == 8);
  CHECK(rig.asked[6].path.via != rig.asked[0].path.via);
  CHECK_FALSE(rig.answer(50000, 7));  // of the attempt before
}

TEST_CASE("only the answer of the server that was asked, to the question that was asked, counts") {
  PunchRig rig{Method::prediction, Role::hard, Role::hard, false};
  rig.begin();
  const Transmit& asked = rig.asked.at(0);
  wire::stun::Message right;
  right.kind = wire::stun::Class::success;
  right.transaction = wire::stun::decode(asked.bytes)->message.transaction;
  right.mapped = at("192.0.2.1:50000");
  wire::stun::Message m = right;
  m.transaction[0] ^= 1;
  CHECK_FALSE(rig.punch->handle_stun(rig.now, asked.path, m));
  m = right;
  m.kind = wire::stun::Class::error;
  CHECK_FALSE(rig.punch->handle_stun(rig.now, asked.path, m));
  PathAddress other = asked.path;
  other.remote.port ^= 1;
  CHECK_FALSE(rig.punch->handle_stun(rig.now, other, right));
  other = asked.path;
  other.via = Via::own;
  CHECK_FALSE(rig.punch->handle_stun(rig.now, other, right));
  m = right;
  m.mapped.reset();
  CHECK(rig.punch->handle_stun(rig.now, asked.path, m));  // ours, but it says nothing
  rig.drain();
  CHECK(rig.said.empty());
  CHECK(rig.punch->handle_stun(rig.now, asked.path, right));
  rig.drain();
  CHECK(rig.last().kind == Kind::sample);
}

TEST_CASE("an easy end checks all ports that it is told, and says that prediction found one") {
  PunchRig rig{Method::prediction, Role::easy, Role::hard, false};
  rig.begin();
  rig.run_until(rig.now + 60ms);
  rig.orders.clear();
  CHECK(rig.hear({.kind = Kind::sample, .first = 65530, .step = 2, .count = 6}));
  rig.run_until(rig.now + 60ms);
  std::vector<std::uint16_t> ports;
  for (const auto& s : rig.orders)
    if (s.order.path.remote.ip == at("192.0.2.9:1").ip && s.order.path.remote.port != 9470)
      ports.push_back(s.order.path.remote.port);
  CHECK(ports == std::vector<std::uint16_t>{65530, 65532, 65534});
  // Who goes on telling does not get his address scanned.
  for (std::uint16_t first = 1000; first < 2000; first += 64)
    CHECK(rig.hear({.kind = Kind::sample, .first = first, .step = 1, .count = 64}));
  rig.orders.clear();
  rig.run_until(rig.now + 500ms);
  for (const auto& s : rig.orders) CHECK((s.order.path.remote.port >= 65530 || s.order.path.remote.port == 9470));
  rig.punch->handle_proved(rig.now, {IpAddress{}, at("192.0.2.9:65532"), Via::own});
  CHECK(rig.punch->end()->method == Traversal::prediction);
}

TEST_CASE("samples beyond all bounds are refused") {
  PunchRig rig{Method::prediction, Role::easy, Role::hard, false};
  rig.begin();
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 0, .step = 1, .count = 6}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 5, .step = 0, .count = 6}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 5, .step = kMaxStep + 1, .count = 6}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 5, .step = INT32_MIN, .count = 6}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 5, .step = 1, .count = 0}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 5, .step = 1, .count = kMaxWindow + 1}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .attempt = 200, .first = 5, .step = 1, .count = 1}));
  CHECK(rig.hear({.kind = Kind::sample, .first = 5, .step = -kMaxStep, .count = kMaxWindow}));
  PunchRig hard{Method::prediction, Role::hard, Role::easy, false};
  hard.begin();
  CHECK_FALSE(hard.hear({.kind = Kind::sample, .first = 5, .step = 1, .count = 1}));
}

TEST_CASE("an easy end that is never told blames the coordination, a hard end the time") {
  PunchRig easy{Method::prediction, Role::easy, Role::hard, false};
  easy.begin();
  easy.run_until(easy.now + 6s);
  CHECK(easy.punch->end()->failure == PunchFailure::coordination);
  PunchRig hard{Method::prediction, Role::hard, Role::easy, false};
  hard.begin();
  hard.answer(50010, 0);
  hard.answer(50000, 1);
  hard.run_until(hard.now + 6s);
  CHECK(hard.punch->end()->failure == PunchFailure::timeout);
}

TEST_CASE("two hard ends each begin ten flows at once, to the tenth of the other's next ports") {
  PunchRig rig{Method::prediction, Role::hard, Role::hard, false};
  rig.begin();
  REQUIRE(rig.asked.size() == 1);
  CHECK(rig.answer(50000));
  CHECK(rig.last() == PunchMessage{.kind = Kind::sample, .round = 3, .first = 50002, .step = 2, .count = 10});
  CHECK(with_low_ttl(rig).empty());
  const Instant told = rig.now;
  CHECK(rig.hear({.kind = Kind::sample, .first = 40003, .step = 3, .count = 10}));
  const auto flows = with_low_ttl(rig);
  REQUIRE(flows.size() == Duel::kSenders);
  std::set<Via> vias;
  for (const Order& o : flows) {
    CHECK(o.path.remote == at("192.0.2.9:40030"));
    vias.insert(o.path.via);
  }
  CHECK(vias.size() == Duel::kSenders);
  CHECK_FALSE(vias.contains(rig.asked[0].path.via));
  for (const auto& s : rig.orders)
    if (s.order.ttl != 0 && s.order.path.via != Via::own) CHECK(s.when == told);  // unpaced
  rig.orders.clear();
  rig.run_until(told + 79ms);
  for (const auto& s : rig.orders) CHECK(s.order.path.via == Via::own);
  rig.orders.clear();
  rig.run_until(told + 150ms);
  std::size_t checks = 0;
  for (const auto& s : rig.orders) checks += s.order.path.via != Via::own && s.order.ttl == 0;
  CHECK(checks >= Duel::kSenders);
}

TEST_CASE("a duel that misses is fought again from new sockets; the other's newer sample begins it at once") {
  PunchRig rig{Method::prediction, Role::hard, Role::hard, false};
  rig.begin();
  rig.answer(50000);
  rig.hear({.kind = Kind::sample, .first = 40003, .step = 3, .count = 10});
  const std::size_t first = rig.opened.size();
  rig.run_until(rig.now + 700ms);
  CHECK(rig.opened.size() == 2 * first);
  CHECK(rig.open() == first);
  rig.answer(50050);
  CHECK(rig.last().attempt == 1);
  CHECK(rig.hear({.kind = Kind::sample, .attempt = 2, .first = 40103, .step = 3, .count = 10}));
  CHECK(rig.opened.size() == 3 * first);
  rig.answer(50100);
  CHECK(rig.last().attempt == 2);
  CHECK(with_low_ttl(rig).back().path.remote.port == 40130);
  CHECK(rig.hear({.kind = Kind::sample, .attempt = 1, .first = 7, .step = 3, .count = 10}));  // overtaken
  rig.run_until(rig.now + 4s);
  REQUIRE(rig.punch->end());
  CHECK(rig.punch->end()->failure == PunchFailure::timeout);
  CHECK(rig.open() == 0);
}

TEST_CASE("once the other end has proved a path no socket is closed any more") {
  PunchRig rig{Method::prediction, Role::hard, Role::hard, false};
  rig.begin();
  rig.answer(50000);
  rig.hear({.kind = Kind::sample, .first = 40003, .step = 3, .count = 10});
  rig.run_until(rig.now + 300ms);
  rig.hear({.kind = Kind::done});
  rig.run_until(rig.now + 1500ms);
  CHECK(rig.closed.empty());
}

TEST_CASE("nothing is predicted without a server or a step") {
  for (const Role remote : {Role::easy, Role::hard}) {
    PunchRig rig{Method::prediction, Role::hard, remote, false};
    rig.task.servers.clear();
    rig.begin();
    CHECK(rig.punch->end()->failure == PunchFailure::infeasible);
    PunchRig other{Method::prediction, Role::hard, remote, false};
    other.task.step = 0;
    other.begin();
    CHECK(other.punch->end()->failure == PunchFailure::infeasible);
  }
}

}  // namespace pw::nat
