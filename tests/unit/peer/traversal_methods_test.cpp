// Rounds that predict ports or search for them: their sockets, their questions, and where nothing of theirs may go.
#include <catch2/catch_test_macros.hpp>

#include <set>

#include "traversal_fixture.hpp"

using namespace pw;
using namespace pw::peer;
using event::TraversalFailure;
using event::TraversalMethod;
using event::TraversalResult;

namespace {

constexpr std::uint32_t kPrediction = 2;  // of wire::Punch::method
constexpr std::uint32_t kBirthday = 3;
constexpr std::uint32_t kBothMethods = 3;

const wire::NatVerdict kEasy{.family = Family::v4, .udp = 2, .mapping = 2, .filtering = 3, .allocation = 1, .mapped = {}};
const wire::NatVerdict kSequential{.family = Family::v4, .udp = 2, .mapping = 4, .filtering = 3, .allocation = 2, .step = 1, .mapped = {}};
const wire::NatVerdict kRandom{.family = Family::v4, .udp = 2, .mapping = 4, .filtering = 3, .allocation = 3, .mapped = {}};

/// Two ends behind these NATs; the other begins rounds.
struct Methods : TraversalFixture {
  Methods(const wire::NatVerdict& ours, const wire::NatVerdict& theirs) {
    context.whereabouts.message.nats = {ours};
    context.whereabouts.message.methods = kBothMethods;
    context.whereabouts.stun = {*SocketAddress::parse("192.0.2.1:3478"), *SocketAddress::parse("[2001:db8::1]:3478")};
    list = listing({"203.0.113.1:9470"});
    list.candidates[0].kind = 2;  // server-reflexive
    list.nats = {theirs};
    list.methods = kBothMethods;
  }
  void observe(std::string_view ip) { context.observations.set(Via{900}, peer, *IpAddress::parse(ip)); }
  void start(std::uint32_t method) {
    hear(list);
    begin(method);
  }
  void begin(std::uint32_t method) {
    traversal.handle(now, wire::Punch{.kind = 1, .round = 0, .method = method});
    traversal.handle(now, wire::Punch{.kind = 2, .round = 0});
  }
  /// The driver: opens what is asked for.
  void serve() {
    for (; !out.requests.empty(); out.requests.pop_front()) {
      if (const auto* open = std::get_if<event::OpenSocket>(&out.requests.front())) {
        sockets.insert(open->via);
        most = std::max(most, sockets.size());
        traversal.handle_socket(now, open->via, SocketAddress{{}, 40000});
      } else if (const auto* close = std::get_if<event::CloseSocket>(&out.requests.front())) {
        closed += sockets.erase(close->via);
      }
    }
  }
  /// What is sent within that time, in order.
  std::vector<Traversal::Packet> run(Duration d) {
    std::vector<Traversal::Packet> sent;
    for (const Instant end = now + d; now < end; now += 1ms) {
      settle(now, false);
      serve();
      while (auto packet = traversal.poll_packet(now)) {
        sent.push_back(std::move(*packet));
        serve();
      }
    }
    return sent;
  }
  event::TraversalEnded ended() {
    const auto ends = all<event::TraversalEnded>();
    REQUIRE(ends.size() == 1);
    return ends[0];
  }
  wire::Candidates list;
  std::set<Via> sockets;
  std::size_t most = 0;
  std::size_t closed = 0;
};

}  // namespace

TEST_CASE("a round asks a STUN server before and after its flows begin, by sockets that are its session's") {
  Methods m{kSequential, kEasy};
  m.observe("203.0.113.1");
  m.start(kPrediction);
  const auto sent = m.run(30ms);
  REQUIRE(m.sockets.size() == 6);
  for (const Via via : m.sockets) CHECK(m.context.sockets.owner(via) == m.peer);
  REQUIRE(sent.size() >= 6);
  const auto* first = std::get_if<Transmit>(&sent[0]);
  REQUIRE(first);
  CHECK(first->path.remote == m.context.whereabouts.stun[0]);  // of the family that counts
  for (std::size_t i = 1; i < 5; ++i) {
    const auto* order = std::get_if<nat::Order>(&sent[i]);
    REQUIRE(order);
    CHECK(order->path.remote == m.list.candidates[0].address);
    CHECK(m.sockets.contains(order->path.via));
    CHECK(order->ttl != 0);
  }
  CHECK(std::holds_alternative<Transmit>(sent[5]));
}

TEST_CASE("the end of a round closes its sockets, and the session's end ends it") {
  Methods m{kRandom, kEasy};
  m.observe("203.0.113.1");
  m.start(kBirthday);
  m.run(1500ms);
  REQUIRE(m.sockets.size() > 200);
  CHECK(m.context.sockets.size() == m.sockets.size());
  CHECK(m.context.search.taken());
  SECTION("by the other end") { m.traversal.handle(m.now, wire::Punch{.kind = 5, .round = 0}); }
  SECTION("with the session") { m.traversal.abandon(m.now); }
  SECTION("with the network") { m.traversal.network_changed(m.now); }
  SECTION("in its time") { m.run(20s); }
  m.serve();
  CHECK(m.sockets.empty());
  CHECK(m.context.sockets.size() == 0);
  CHECK_FALSE(m.context.search.taken());
  std::size_t told = 0;
  while (m.traversal.poll_closed()) ++told;
  CHECK(told == m.closed);
  CHECK_FALSE(m.traversal.poll_won());
}

TEST_CASE("the socket that a proved path goes by is the session's, all others are closed") {
  Methods m{kRandom, kEasy};
  m.observe("203.0.113.1");
  m.hear(m.list);
  m.now += 300ms;
  m.begin(kBirthday);
  m.run(1500ms);
  const Via winner = *std::next(m.sockets.begin(), 100);
  m.traversal.settle(m.now, {PathAddress{{}, m.list.candidates[0].address, winner}, 40ms});
  m.serve();
  CHECK(m.traversal.poll_won() == winner);
  CHECK_FALSE(m.traversal.poll_won());
  CHECK(m.sockets == std::set<Via>{winner});
  CHECK(m.context.sockets.size() == 1);
  CHECK(m.ended().method == TraversalMethod::birthday);
  CHECK(m.ended().result == TraversalResult::success);
  CHECK(m.ended().phases[static_cast<std::size_t>(event::TraversalPhase::punching)] > 1s);
  CHECK(m.ended().phases[static_cast<std::size_t>(event::TraversalPhase::gathering)] == 300ms);
}

TEST_CASE("sockets of all sessions together are limited, and what is refused is counted") {
  Methods m{kRandom, kEasy};
  for (std::uint32_t i = 0; i < FurtherSockets::kMax - 20; ++i) CHECK(m.context.sockets.add(Via{10000 + i}, PeerId{{9}}));
  m.observe("203.0.113.1");
  m.start(kBirthday);
  m.run(1500ms);
  CHECK(m.sockets.size() == 20);
  CHECK(m.context.denied[static_cast<std::size_t>(event::Budget::flows)] == 236);
}

TEST_CASE("nobody's ports are guessed because a peer says that they are its own") {
  for (const auto& [theirs, method] : {std::pair{kSequential, kPrediction}, std::pair{kRandom, kBirthday}}) {
    Methods m{kEasy, theirs};
    m.observe("198.51.100.77");  // where it really is
    m.start(method);
    m.traversal.handle(m.now, wire::Punch{.kind = 3, .round = 0, .first = 1024, .step = 1, .count = 64});
    for (const auto& packet : m.run(5s)) CHECK_FALSE(std::holds_alternative<nat::Order>(packet));
    CHECK(m.ended().failure == TraversalFailure::infeasible);
    CHECK(m.context.sockets.size() == 0);
  }
}

TEST_CASE("a search goes on within the node's budget of packets, and what it holds back is counted once each") {
  Methods m{kEasy, kRandom};
  m.context.limit_packets(10);
  m.observe("203.0.113.1");
  m.start(kBirthday);
  m.traversal.handle(m.now, wire::Punch{.kind = 3, .round = 0, .first = 1024, .step = 1, .count = 64512});
  const auto sent = m.run(10s);
  CHECK(sent.size() > 50);
  CHECK(static_cast<double>(sent.size()) <= kLeastPacketBurst + 10 * 10);
  const auto held_back = m.context.denied[static_cast<std::size_t>(event::Budget::packets)];
  CHECK(held_back > 0);
  CHECK(held_back <= sent.size() + 1);
}

TEST_CASE("whoever does not take part in prediction and search has none of it") {
  Methods m{kEasy, kRandom};
  m.context.whereabouts.message.methods = 0;
  m.observe("203.0.113.1");
  m.hear(m.list);
  m.run(5s);
  CHECK(m.ended().failure == TraversalFailure::infeasible);
  CHECK(m.ended().method == TraversalMethod::none);
  CHECK(m.context.sockets.size() == 0);
}
