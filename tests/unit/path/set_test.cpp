// One end by itself: what it sends, what it refuses and why, and that what it refuses changes nothing.
#include "path/set.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::path;
using event::PathKind;
namespace stun = wire::stun;

namespace {

constexpr Instant kStart{std::chrono::hours{1}};
const PathAddress kPeer{{}, SocketAddress::parse("9.0.0.2:9470").value()};
const PathAddress kElsewhere{{}, SocketAddress::parse("9.0.0.66:66").value()};

struct One {
  One() : set{derive_keys({7}, true), {}, starvation, Rng{1}}, peer{derive_keys({7}, false)} {}

  std::vector<Transmit> sent() {
    std::vector<Transmit> out;
    while (auto t = set.poll_transmit()) out.push_back(std::move(*t));
    return out;
  }
  std::vector<Event> told() {
    std::vector<Event> out;
    while (auto e = set.poll_event()) out.push_back(std::move(*e));
    return out;
  }
  /// A request of the peer's, the next one.
  stun::Message request() {
    stun::Message m;
    m.transaction = checks.begin(now, {}).id;
    m.username = peer.peer_tag;
    return m;
  }
  Buffer bytes(const stun::Message& m, std::size_t size = kSmallSize) const {
    return stun::encode_padded(m, size, stun::Integrity::sha256, peer.send);
  }
  Verdict hear(const Buffer& b, const PathAddress& from = kPeer, PathKind kind = PathKind::direct_v4) {
    const auto decoded = stun::decode(b);
    REQUIRE(decoded);
    const Set::Arrived arrived{now, from, kind, b, *decoded};
    if (decoded->message.kind == stun::Class::request) return set.handle_request(now, arrived);
    return set.handle_response(now, arrived);
  }
  /// The peer's answer to a check of ours.
  Buffer answer(const Transmit& check, bool receipt = true) const {
    const auto decoded = stun::decode(check.bytes);
    REQUIRE(decoded);
    stun::Message m;
    m.kind = stun::Class::success;
    m.transaction = decoded->message.transaction;
    m.mapped = SocketAddress::parse("9.0.0.1:5").value();
    if (const auto& probe = decoded->message.probe; probe && receipt)
      m.receipt = wire::ReceiptFrame{probe->sequence, probe->sequence, ~0ULL, 0};
    const bool full = check.bytes.size() >= kFullSize;
    return full ? stun::encode_padded(m, kFullSize, stun::Integrity::sha256, peer.receive)
                : stun::encode(m, stun::Integrity::sha256, peer.receive);
  }
  void prove(const PathAddress& at, PathKind kind = PathKind::direct_v4) {
    REQUIRE(set.check(now, at, kind));
    const auto checks_out = sent();
    REQUIRE(checks_out.size() == 1);
    REQUIRE(hear(answer(checks_out[0]), at, kind));
  }

  Instant now = kStart;
  probe::Starvation starvation;
  Set set;
  Keys peer;
  Checks checks{peer.own_tag};
};

Refusal why(const Verdict& v) {
  REQUIRE_FALSE(v);
  return v.error();
}

}  // namespace

TEST_CASE("a check is a Binding request for the peer's tag, small and protected; its answer proves the path") {
  One one;
  REQUIRE(one.set.check(one.now, kPeer, PathKind::direct_v4, 3));
  const auto out = one.sent();
  REQUIRE(out.size() == 1);
  CHECK(out[0].path == kPeer);
  CHECK(out[0].ttl == 3);
  CHECK(out[0].bytes.size() == kSmallSize);
  const auto decoded = stun::decode(out[0].bytes).value();
  CHECK(decoded.fingerprint);
  CHECK(decoded.message.username == one.peer.own_tag);
  CHECK(tag_of(decoded.message.transaction) == one.set.keys().own_tag);  // by it the answer finds its connection
  CHECK_FALSE(decoded.message.probe);
  CHECK(stun::verify(out[0].bytes, stun::Integrity::sha256, one.peer.receive));
  CHECK(one.set.paths() == 0);

  one.now += 30ms;
  REQUIRE(one.hear(one.answer(out[0])));
  CHECK(one.set.paths() == 1);
  CHECK(one.set.sending().size() == 1);
  const auto events = one.told();
  REQUIRE(std::holds_alternative<PathProved>(events.at(0)));
  CHECK(std::get<PathProved>(events[0]).rtt == 30ms);
  CHECK(std::get<PathProved>(events[0]).mapped == SocketAddress::parse("9.0.0.1:5").value());
}

TEST_CASE("a path is probed at once when it is proved, and checked at full size") {
  One one;
  one.prove(kPeer);
  const auto out = one.sent();
  REQUIRE(out.size() == 2);
  CHECK(out[0].bytes.size() == kSmallSize);
  CHECK(stun::decode(out[0].bytes)->message.probe);
  CHECK(out[1].bytes.size() == kFullSize);
  CHECK_FALSE(stun::decode(out[1].bytes)->message.probe);
  CHECK(one.set.snapshot().at(0).path.size == Size::unknown);
  REQUIRE(one.hear(one.answer(out[1])));
  CHECK(one.set.snapshot().at(0).path.size == Size::full);
}

TEST_CASE("the peer's request is answered, never with more than it had, and checked back where nothing is known") {
  for (const std::size_t size : {kSmallSize, kFullSize}) {
    for (const char* from : {"9.0.0.2:9470", "[2001:db8::2]:9470"}) {
      INFO(size << " from " << from);
      One fresh;
      stun::Message m = fresh.request();
      m.probe = wire::ProbeFrame{5, 6};
      const PathAddress path{{}, SocketAddress::parse(from).value()};
      REQUIRE(fresh.hear(fresh.bytes(m, size), path));
      const auto out = fresh.sent();
      REQUIRE(out.size() == 2);
      const auto answer = stun::decode(out[0].bytes).value();
      CHECK(answer.message.kind == stun::Class::success);
      CHECK(answer.message.mapped == path.remote);
      CHECK(answer.message.transaction == m.transaction);
      REQUIRE(answer.message.receipt);
      CHECK(answer.message.receipt->sequence == 5);
      CHECK(out[0].bytes.size() <= size);
      CHECK((out[0].bytes.size() >= kFullSize) == (size >= kFullSize));
      CHECK(stun::verify(out[0].bytes, stun::Integrity::sha256, fresh.peer.send));
      CHECK(stun::decode(out[1].bytes)->message.kind == stun::Class::request);  // the triggered check
      CHECK(out[1].path == path);
      CHECK(fresh.set.paths() == 0);
    }
  }
}

TEST_CASE("what is not an authentic check of the peer's is refused for its reason, unanswered, and changes nothing") {
  One one;
  one.prove(kPeer);
  one.sent();
  one.told();
  const auto check = [&](const Buffer& b, Refusal expected) {
    INFO(name(expected));
    CHECK(why(one.hear(b, kElsewhere)) == expected);
    CHECK(one.sent().empty());
    CHECK(one.told().empty());
    CHECK(one.set.paths() == 1);
    CHECK(one.set.candidates() == 0);
  };
  const stun::Message good = one.request();
  stun::Message m = good;
  m.method = 2;
  check(one.bytes(m), Refusal::not_a_check);
  m = good;
  m.change = stun::ChangeRequest{true, true};
  m.username = std::string{"somebody else ta"};
  check(one.bytes(m), Refusal::unknown_user);
  m = good;
  m.username.reset();
  check(one.bytes(m), Refusal::unknown_user);
  check(stun::encode(good, stun::Integrity::sha256, one.peer.send), Refusal::too_small);
  m = good;
  m.fill = 80;
  check(stun::encode(m), Refusal::no_integrity);
  check(stun::encode(m, stun::Integrity::sha1, one.peer.send), Refusal::no_integrity);
  check(stun::encode(m, stun::Integrity::sha256, one.peer.receive), Refusal::wrong_key);
  check(stun::encode(m, stun::Integrity::sha256, derive_keys({8}, false).send), Refusal::wrong_key);
  REQUIRE(one.hear(one.bytes(good)));  // none of all that used it up
  one.sent();
  check(one.bytes(good), Refusal::replayed);
}

TEST_CASE("a copy is refused also where its original came from, but for one that arrived from elsewhere first") {
  One one;
  one.prove(kPeer);
  stun::Message m = one.request();
  m.probe = wire::ProbeFrame{1, 1};
  REQUIRE(one.hear(one.bytes(m)));
  CHECK(why(one.hear(one.bytes(m))) == Refusal::replayed);
  m = one.request();
  m.probe = wire::ProbeFrame{2, 2};
  REQUIRE(one.hear(one.bytes(m), kElsewhere));
  CHECK(one.hear(one.bytes(m)));
  CHECK(why(one.hear(one.bytes(m))) == Refusal::replayed);
  CHECK(why(one.hear(one.bytes(m), kElsewhere)) == Refusal::replayed);
}

TEST_CASE("whoever throws copies of a check at us gets few answers, and uses up nothing of the peer's") {
  One one;
  one.prove(kPeer);
  one.sent();
  const stun::Message probe = [&] {
    stun::Message m = one.request();
    m.probe = wire::ProbeFrame{1, 1};
    return m;
  }();
  const stun::Message full = one.request();  // at full size there is no probe that tells a copy
  REQUIRE(one.hear(one.bytes(probe)));
  REQUIRE(one.hear(one.bytes(full, kFullSize)));
  one.sent();
  for (int i = 0; i < 1000; ++i) {
    CHECK(why(one.hear(one.bytes(probe))) == Refusal::replayed);
    static_cast<void>(one.hear(one.bytes(full, kFullSize)));
  }
  CHECK(static_cast<double>(one.sent().size()) <= Set::kCopiesBurst);
  CHECK(one.hear(one.bytes(one.request())));
}

TEST_CASE("an answer counts once, from where the question went, in time, and under its key") {
  One one;
  REQUIRE(one.set.check(one.now, kPeer, PathKind::direct_v4));
  const auto out = one.sent();
  CHECK(why(one.hear(one.answer(out.at(0)), kElsewhere)) == Refusal::wrong_source);
  CHECK(one.set.paths() == 0);
  stun::Message m = stun::decode(one.answer(out[0]))->message;
  CHECK(why(one.hear(stun::encode(m, stun::Integrity::sha256, one.peer.send))) == Refusal::wrong_key);
  CHECK(why(one.hear(stun::encode(m))) == Refusal::no_integrity);
  m.kind = stun::Class::error;
  m.error = stun::ErrorCode{401, "no"};
  CHECK(why(one.hear(stun::encode(m, stun::Integrity::sha256, one.peer.receive))) == Refusal::not_a_check);
  m = stun::decode(one.answer(out[0]))->message;
  m.transaction[3] = static_cast<std::uint8_t>(m.transaction[3] + 1);
  CHECK(why(one.hear(stun::encode(m, stun::Integrity::sha256, one.peer.receive))) == Refusal::unknown_transaction);
  CHECK(one.set.paths() == 0);
  REQUIRE(one.hear(one.answer(out[0])));
  CHECK(why(one.hear(one.answer(out[0]))) == Refusal::unknown_transaction);

  One late;
  REQUIRE(late.set.check(late.now, kPeer, PathKind::direct_v4));
  const auto first = late.sent();
  late.now += Checks::kLifetime;
  REQUIRE(late.set.check(late.now, kElsewhere, PathKind::direct_v4));
  CHECK(why(late.hear(late.answer(first.at(0)))) == Refusal::unknown_transaction);
}

TEST_CASE("nobody makes us check forbidden addresses") {
  One one;
  const PathAddress loopback{{}, SocketAddress::parse("127.0.0.1:9").value()};
  CHECK(why(one.set.check(one.now, loopback, PathKind::direct_v4)) == Refusal::forbidden_address);
  CHECK(why(one.set.add(one.now, loopback, PathKind::direct_v4, false)) == Refusal::forbidden_address);
  CHECK(why(one.hear(one.bytes(one.request()), loopback)) == Refusal::forbidden_address);
  CHECK(one.sent().empty());
  CHECK(one.set.add(one.now, loopback, PathKind::direct_v4, true));  // a handshake went over it
}

TEST_CASE("answers to strangers, and answers at all, are limited") {
  One one;
  std::size_t refused = 0;
  for (int i = 0; i < 500; ++i) refused += one.hear(one.bytes(one.request()), kElsewhere) ? 0 : 1;
  CHECK(refused == 500 - static_cast<std::size_t>(Set::kStrangersBurst));
  One known;
  known.prove(kPeer);
  refused = 0;
  for (int i = 0; i < 500; ++i) refused += known.hear(known.bytes(known.request())) ? 0 : 1;
  CHECK(refused == 500 - static_cast<std::size_t>(Set::kAnswersBurst));
}

TEST_CASE("paths beyond the limit make room for one another, never for the one in use") {
  One one;
  one.prove(kPeer);
  for (std::uint16_t port = 1; port <= 100; ++port) {
    one.now += 1ms;
    one.sent();
    one.prove({{}, {kPeer.remote.ip, port}});
    CHECK(one.set.paths() <= Set::kMaxPaths);
    CHECK(one.set.sending()[0] == kPeer);
  }
}

TEST_CASE("a relay's channel has no address: none is told, and none is needed") {
  One one;
  const PathAddress channel{{}, {}, Via{9}};
  REQUIRE(one.set.add(one.now, channel, PathKind::relay_quic, false));
  CHECK(one.sent().size() == 1);
  REQUIRE(one.hear(one.bytes(one.request()), channel, PathKind::relay_quic));
  CHECK_FALSE(stun::decode(one.sent().at(0).bytes)->message.mapped);
}

TEST_CASE("a channel that is carried by another connection keeps what is known of it, and tells what it is now") {
  One one;
  const PathAddress channel{{}, {}, Via{9}};
  REQUIRE(one.set.add(one.now, channel, PathKind::relay_websocket, true));
  one.told();
  one.set.rename(one.now, channel, PathKind::relay_quic);
  const auto told = one.told();
  REQUIRE(told.size() == 1);
  const auto& change = std::get<SendingPathChanged>(told[0]);
  CHECK(change.from.kind == PathKind::relay_websocket);
  CHECK(change.to.kind == PathKind::relay_quic);
  CHECK(change.from.address == change.to.address);
  CHECK(one.set.sending_kind() == PathKind::relay_quic);
  CHECK(one.set.snapshot().at(0).path.kind == PathKind::relay_quic);
  one.set.rename(one.now, channel, PathKind::relay_quic);
  CHECK(one.told().empty());
}

TEST_CASE("one that is not proved yet is proved as what it has become") {
  One one;
  const PathAddress channel{{}, {}, Via{9}};
  REQUIRE(one.set.add(one.now, channel, PathKind::relay_websocket, false));
  one.set.rename(one.now, channel, PathKind::relay_quic);
  REQUIRE(one.hear(one.answer(one.sent().at(0)), channel, PathKind::relay_quic));
  CHECK(one.set.sending_kind() == PathKind::relay_quic);
}

TEST_CASE("a path that comes of the peer's check knows its probes, and is no candidate any more") {
  One one;
  stun::Message m = one.request();
  m.probe = wire::ProbeFrame{5, 0};
  REQUIRE(one.hear(one.bytes(m)));
  REQUIRE(one.hear(one.answer(one.sent().at(1))));
  CHECK(one.set.paths() == 1);
  CHECK(one.set.candidates() == 0);
  one.sent();
  m = one.request();
  m.probe = wire::ProbeFrame{6, 0};
  REQUIRE(one.hear(one.bytes(m)));
  CHECK(stun::decode(one.sent().at(0).bytes)->message.receipt->window == 3);
}

TEST_CASE("a check of the peer's over a dead path has it probed before its time") {
  One one;
  one.prove(kPeer);
  const auto probe = one.sent().at(0);
  one.now += 20ms;
  REQUIRE(one.hear(one.answer(probe)));  // now the RTT is known, and time-outs are short
  const auto advance = [&] {
    one.now = one.set.poll_timeout();
    one.set.handle_timeout(one.now);
  };
  while (!one.set.sending().empty()) advance();
  one.sent();
  while (one.sent().empty()) advance();
  for (const auto& [later, packets] : {std::pair{50ms, 1U}, std::pair{150ms, 2U}}) {  // the answer, and a probe
    one.now += later;
    stun::Message m = one.request();
    REQUIRE(one.hear(one.bytes(m)));
    CHECK(one.sent().size() == packets);
  }
}

TEST_CASE("an answer to what went to a closed channel proves nothing") {
  One one;
  REQUIRE(one.set.check(one.now, kPeer, PathKind::direct_v4));
  const auto out = one.sent();
  one.set.close(one.now, kPeer, event::PathChangeReason::relay_closed);
  CHECK(why(one.hear(one.answer(out.at(0)))) == Refusal::unknown_transaction);
  CHECK(one.set.paths() == 0);
}

TEST_CASE("a node that was late blames no path") {
  One one;
  one.prove(kPeer);
  one.sent();
  one.told();
  one.now += 10s;
  one.set.node_was_late(one.now);
  one.set.handle_timeout(one.now);
  for (const Event& e : one.told()) CHECK_FALSE(std::holds_alternative<HealthChanged>(e));
}

TEST_CASE("a node that was late gives up no candidate for it") {
  One one;
  REQUIRE(one.set.add(one.now, kPeer, PathKind::direct_v4, false));
  for (; one.now < kStart + 12s; one.now = one.set.poll_timeout()) one.set.handle_timeout(one.now);
  one.now += 10s;
  one.set.node_was_late(one.now);
  one.set.handle_timeout(one.now);
  CHECK(one.set.candidates() == 1);
}

TEST_CASE("checks under way are bounded: the oldest are forgotten") {
  Checks checks{"0011223344556677"};
  const auto first = checks.begin(kStart, {}).id;
  for (std::size_t i = 1; i < Checks::kMax; ++i) checks.begin(kStart, {});
  CHECK(checks.find(first));
  const auto last = checks.begin(kStart, {}).id;
  CHECK(checks.size() == Checks::kMax);
  CHECK_FALSE(checks.find(first));
  REQUIRE(checks.find(last));
  checks.finish(*checks.find(last));
  CHECK_FALSE(checks.find(last));
}
