// Which answers count: those of a question's own transaction, at the socket that asked, from where it allows. And pace.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "nat/behaviour.hpp"

using namespace pw;
using namespace pw::nat;
namespace stun = pw::wire::stun;
using event::NatFiltering;
using event::NatMapping;
using event::Tested;

namespace {

SocketAddress at(const char* text) { return SocketAddress::parse(text).value(); }

const SocketAddress kServer = at("192.0.2.1:3478");
const SocketAddress kOther = at("192.0.2.2:3479");
const SocketAddress kMapped = at("11.0.0.1:5000");

struct Fixture {
  Instant now{1h};
  std::uint32_t next_via = 5;
  BehaviourDiscovery discovery{Family::v4, {.lifetime = false}, Rng{7}, next_via};
  std::vector<Transmit> sent;

  Fixture() {
    discovery.start(now, {kServer}, {IpAddress::v4({10, 0, 0, 2})}, 9470);
    drain();
  }
  void drain() {
    for (bool any = true; any;) {
      any = false;
      while (const auto r = discovery.poll_request()) {
        any = true;
        if (const auto* open = std::get_if<event::OpenSocket>(&*r))
          discovery.handle_socket(now, open->via,
                                  SocketAddress{IpAddress{}, static_cast<std::uint16_t>(40000 + next_port++)});
      }
      while (auto t = discovery.poll_transmit()) {
        any = true;
        sent.push_back(std::move(*t));
      }
    }
  }
  void advance(Duration d) {
    const Instant until = now + d;
    while (discovery.poll_timeout() <= until) {
      now = std::max(now, discovery.poll_timeout());
      discovery.handle_timeout(now);
      drain();
    }
    now = until;
  }
  static stun::Message request(const Transmit& t) { return stun::decode(t.bytes)->message; }
  static stun::Message answer(const Transmit& t) {
    stun::Message m;
    m.kind = stun::Class::success;
    m.transaction = request(t).transaction;
    m.mapped = kMapped;
    m.other_address = kOther;
    return m;
  }
  bool give(const stun::Message& m, const SocketAddress& from, Via via) {
    const bool taken = discovery.handle_stun(now, now, {IpAddress{}, from, via}, m);
    drain();
    return taken;
  }
  unsigned next_port = 0;
};

}  // namespace

TEST_CASE("an answer that is forged in any one way is not taken, and the right one still is") {
  Fixture f;
  REQUIRE(f.sent.size() == 1);
  CHECK(f.sent[0].path == PathAddress{IpAddress{}, kServer, Via::own});
  const stun::Message right = Fixture::answer(f.sent[0]);
  stun::Message forged = right;
  forged.transaction[11] ^= 1;
  CHECK_FALSE(f.give(forged, kServer, Via::own));
  CHECK_FALSE(f.give(right, at("192.0.2.1:3479"), Via::own));
  CHECK_FALSE(f.give(right, at("192.0.2.9:3478"), Via::own));
  CHECK_FALSE(f.give(right, kServer, Via{5}));
  forged = right;
  forged.kind = stun::Class::request;
  CHECK_FALSE(f.give(forged, kServer, Via::own));
  forged.kind = stun::Class::indication;
  CHECK_FALSE(f.give(forged, kServer, Via::own));
  forged = right;
  forged.mapped.reset();
  CHECK_FALSE(f.give(forged, kServer, Via::own));
  forged.mapped = at("[2001:db8::1]:1");
  CHECK_FALSE(f.give(forged, kServer, Via::own));
  forged = right;
  forged.method = 3;
  CHECK_FALSE(f.give(forged, kServer, Via::own));
  CHECK(f.discovery.result().udp == Tested::unknown);
  CHECK(f.give(right, kServer, Via::own));
  CHECK(f.discovery.result().udp == Tested::yes);
  CHECK(f.discovery.result().mapped == kMapped);
  CHECK_FALSE(f.give(right, kServer, Via::own));  // once
}

TEST_CASE("an answer that should come from another place counts only from there") {
  Fixture f;
  f.give(Fixture::answer(f.sent[0]), kServer, Via::own);
  f.advance(60ms);
  const auto change = [&](stun::ChangeRequest c) {
    const auto found =
        std::ranges::find_if(f.sent, [&](const Transmit& t) { return Fixture::request(t).change == c; });
    REQUIRE(found != f.sent.end());
    return *found;
  };
  const Transmit both = change({.ip = true, .port = true});
  CHECK(both.path.via != Via::own);
  CHECK(both.path.remote == kServer);
  CHECK_FALSE(f.give(Fixture::answer(both), at("192.0.2.1:3479"), both.path.via));
  CHECK_FALSE(f.give(Fixture::answer(both), at("192.0.2.9:3479"), both.path.via));
  CHECK_FALSE(f.give(Fixture::answer(both), kOther, Via::own));
  CHECK(f.give(Fixture::answer(both), kOther, both.path.via));
}

TEST_CASE("every attempt has a transaction of its own, and an answer to an early one counts late") {
  Fixture f;
  f.advance(700ms);
  REQUIRE(f.sent.size() == 3);  // every 250 ms
  CHECK(Fixture::request(f.sent[0]).transaction != Fixture::request(f.sent[1]).transaction);
  CHECK(f.give(Fixture::answer(f.sent[0]), kServer, Via::own));
}

TEST_CASE("what another address of the server must not be is not sent to") {
  for (const SocketAddress& bad :
       {at("127.0.0.1:3479"), at("0.0.0.0:3479"), at("224.0.0.1:3479"), at("169.254.1.1:3479"), at("192.0.2.1:3479"),
        at("192.0.2.2:3478"), SocketAddress{kOther.ip, 0}, at("[2001:db8::1]:3479")}) {
    Fixture f;
    stun::Message m = Fixture::answer(f.sent[0]);
    m.other_address = bad;
    f.give(m, kServer, Via::own);
    f.advance(5s);
    INFO(bad.to_string());
    CHECK(f.discovery.done());
    CHECK(std::ranges::all_of(f.sent, [](const Transmit& t) {
      return t.path.remote == kServer || t.path.remote.ip == kMapped.ip;
    }));
    CHECK(f.discovery.result().filtering == NatFiltering::unknown);
  }
}

TEST_CASE("one packet goes out at a time, 5 ms apart, also when timers come late") {
  Fixture f;
  f.now += 40ms;
  f.give(Fixture::answer(f.sent[0]), kServer, Via::own);
  std::size_t before = f.sent.size();
  CHECK(before == 2);
  for (int i = 0; i < 200; ++i) {
    f.now += 5ms * (1 + i % 3 * 40);
    f.discovery.handle_timeout(f.now);
    f.discovery.handle_timeout(f.now);
    f.drain();
    CHECK(f.sent.size() <= before + 1);
    before = f.sent.size();
  }
  CHECK(f.discovery.done());
  CHECK(f.sent.size() <= BehaviourDiscovery::kMostPackets);
}

TEST_CASE("further sockets are numbered from what it was given, known as its own, and closed when it is done") {
  Fixture f;
  f.give(Fixture::answer(f.sent[0]), kServer, Via::own);
  CHECK(f.discovery.owns(Via{5}));
  CHECK_FALSE(f.discovery.owns(Via::own));
  CHECK(f.next_via == 5 + 1 + 6);  // filtering, samples
  f.advance(20s);
  CHECK(f.discovery.done());
  for (std::uint32_t via = 5; via < f.next_via; ++via) CHECK_FALSE(f.discovery.owns(Via{via}));
}

TEST_CASE("a hairpin counts only at the socket that it was aimed at") {
  for (const bool right : {false, true}) {
    Fixture f;
    // Everybody but those who ask for another place is answered.
    std::size_t answered = 0;
    const auto hairpin = [&] {
      return std::ranges::find_if(f.sent, [](const Transmit& t) { return t.path.remote.ip == kMapped.ip; });
    };
    for (int i = 0; i < 200 && hairpin() == f.sent.end(); ++i) {
      f.advance(5ms);
      for (; answered < f.sent.size(); ++answered) {
        const Transmit t = f.sent[answered];
        if (t.path.remote.ip == kMapped.ip || Fixture::request(t).change) continue;
        stun::Message m = Fixture::answer(t);
        m.mapped->port = static_cast<std::uint16_t>(5000 + static_cast<std::uint32_t>(t.path.via));
        f.give(m, t.path.remote, t.path.via);
      }
    }
    REQUIRE(hairpin() != f.sent.end());
    const Transmit t = *hairpin();
    const Via aimed{t.path.remote.port - 5000U};
    CHECK(aimed != t.path.via);
    CHECK(f.give(Fixture::request(t), kMapped, right ? aimed : t.path.via) == right);
    CHECK((f.discovery.result().hairpin == Tested::yes) == right);
  }
}
