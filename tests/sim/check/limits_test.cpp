// Bounds, storms, amplification and unsolicited packets: each rule complains of what it is there for.
#include <catch2/catch_test_macros.hpp>

#include "sim/check/amplification.hpp"
#include "sim/check/bounds.hpp"
#include "sim/check/storm.hpp"
#include "sim/check/tampered.hpp"
#include "sim/check/unsolicited.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

template <class Rule>
std::unique_ptr<Checker> make(const World& w, const Ground& g) {
  if constexpr (std::is_same_v<Rule, Bounds>)
    return std::make_unique<Bounds>(g);
  else
    return std::make_unique<Rule>(w, g);
}

net::Packet packet(const SocketAddress& from, const SocketAddress& to, Buffer bytes) {
  net::Packet p;
  p.source = from;
  p.destination = to;
  p.payload = std::move(bytes);
  return p;
}

const SocketAddress kVictim{IpAddress::v4({203, 0, 113, 9}), 443};

/// A long header from a client that calls itself `id`.
Buffer initial(std::uint8_t id, std::size_t size) {
  Buffer bytes(size, 0);
  const std::array<std::uint8_t, 16> head{0xc0, 0, 0, 0, 1, 4, 9, 9, 9, 9, 4, id, id, id, id, 0};
  std::ranges::copy(head, bytes.begin());
  return bytes;
}
/// The answer to it.
Buffer answer(std::uint8_t id, std::size_t size) {
  Buffer bytes = initial(7, size);
  std::fill_n(bytes.begin() + 6, 4, id);
  return bytes;
}

}  // namespace

TEST_CASE("a further socket that no path and no round needs is found, and a path without its socket") {
  event::NodeSnapshot s;
  event::PeerSnapshot& peer = s.peers.emplace_back();
  peer.state = event::SessionState::connected;
  peer.paths.emplace_back().address = {{}, kVictim, Via{5}};
  peer.paths.emplace_back().address = {{}, {}, Via{6}};  // a channel
  s.further_sockets = 1;
  CHECK(Bounds::leak(s, {{Via{5}, {}}}, false).empty());
  CHECK_FALSE(Bounds::leak(s, {{Via{4}, {}}}, false).empty());
  s.further_sockets = 2;
  CHECK_FALSE(Bounds::leak(s, {{Via{5}, {}}, {Via{7}, {}}}, false).empty());
  CHECK(Bounds::leak(s, {{Via{5}, {}}, {Via{7}, {}}}, true).empty());
  std::map<Via, SocketAddress> open;
  for (unsigned n = 0; n < 30; ++n) open[Via{5U + n}] = {};
  CHECK_FALSE(Bounds::leak(s, open, true).empty());
}

TEST_CASE("a life with deaths, losses and jitter stays within every limit") {
  for (const auto& rule : {make<Bounds>, make<Storm>, make<Amplification>, make<Unsolicited>}) {
    TamperedPair p{rule};
    p.w.default_link.loss = 0.1;
    p.w.default_link.jitter = 20ms;
    p.run(30s);
    p.b.kill();
    p.run(2min);
    p.b.start();
    p.run(1min);
    CHECK(p.tales.complaint().empty());
    CHECK(p.w.verdict().empty());
  }
}

TEST_CASE("a flood of events is complained of") {
  TamperedPair p{make<Bounds>};
  p.run(5s);
  for (int i = 0; i < 2000; ++i)
    p.tales.tell(p.w.now(), p.a, {p.w.now(), event::PacketRejected{event::RejectReason::malformed, kVictim}});
  CHECK(p.complains_of("events within a second"));
}

TEST_CASE("more connections than there may be are complained of") {
  TamperedPair p{make<Bounds>};
  p.run(5s);
  p.a.options.quic.max_connections = 0;  // the daemon has what it was started with
  p.run(1s);
  CHECK(p.complains_of("1 connections"));
}

TEST_CASE("more half-open connections than there may be are complained of") {
  TamperedPair p{make<Bounds>};
  p.w.link(p.b, p.a).up = false;
  for (event::PeerSpec& spec : p.b.membership.peers) spec.addresses.clear();  // only a dials, and b's answers get lost
  p.run(2s);
  CHECK(p.tales.complaint().empty());
  p.b.options.quic.max_half_open = 0;
  p.run(1s);
  CHECK(p.complains_of("b: 1 half-open connections"));
}

TEST_CASE("a visitor that is remembered for longer than its time is complained of") {
  TamperedPair p{make<Bounds>};
  for (Host* h : {&p.a, &p.b}) {
    h->membership.admission = peer::AdmissionMode::secret;
    h->membership.secrets = {Buffer(32, 1)};
  }
  p.a.membership.peers.clear();
  p.run(5s);
  p.b.kill();
  p.run(2min);
  CHECK(p.tales.complaint().empty());
  p.a.options.peer.retention = 30s;
  p.run(1s);
  CHECK(p.complains_of("a visitor is remembered"));
}

TEST_CASE("timers that fire for nothing are complained of") {
  struct Spins : net::Program {
    void handle_arrival(Instant, const net::Arrival&) override {}
    void handle_timeout(Instant now) override { next = now + 1ms; }
    Instant poll_timeout() const override { return next; }
    Instant next = Instant{};
  };
  TamperedPair p{make<Bounds>};
  p.run(5s);
  Spins spins;
  spins.next = p.a.machine().now();
  REQUIRE(p.a.machine().open(spins, 1));
  p.a.machine().rearm(spins);
  p.run(5s);
  CHECK(p.complains_of("timers spin"));
  p.a.machine().kill(spins);
}

TEST_CASE("packets under way that never end are complained of") {
  TamperedPair p{make<Bounds>};
  p.run(5s);
  auto lost = packet(p.a.address(), kVictim, Buffer(10, 0x40));
  for (lost.id = 1'000'000; lost.id < 1'002'000; ++lost.id) p.tales.tell_sent(p.w.now(), p.a.machine(), lost);
  p.tales.look(p.w);
  CHECK(p.tales.complaint().empty());
  for (; lost.id < 1'003'000; ++lost.id) p.tales.tell_sent(p.w.now(), p.a.machine(), lost);
  p.tales.look(p.w);
  CHECK(p.complains_of("packets are under way"));
}

TEST_CASE("connections that nothing explains are complained of") {
  TamperedPair p{make<Bounds>};
  p.run(5s);
  // As if one more dial had ended than was started: its connection is there still.
  p.tales.tell(p.w.now(), p.a, {p.w.now(), event::DialEnded{p.b.id(), event::DialResult::cancelled, {}, {}, 1s, 0s}});
  p.run(10s);
  CHECK(p.tales.complaint().empty());
  for (int i = 0; i < 4; ++i) p.run(20s);
  CHECK(p.complains_of("connections for"));
}

TEST_CASE("a peer that nobody listed is complained of") {
  TamperedPair p{make<Bounds>};
  p.run(5s);
  p.a.membership.peers.clear();  // without configure(): the daemon has them still
  p.b.kill();
  p.run(60s);
  CHECK(p.complains_of("nobody listed"));
}

TEST_CASE("packets that spin are a storm") {
  TamperedPair p{make<Storm>};
  p.tales.on_sent = [&](Instant at, const net::Machine& from, const net::Packet& packet) {
    for (int i = 0; i < 20; ++i) p.tales.tell_sent(at, from, packet);
  };
  p.run(30s);
  CHECK(p.complains_of("explain themselves"));
}

TEST_CASE("measuring three times as often as configured is a storm") {
  TamperedPair p{make<Storm>};
  p.run(60s);
  CHECK(p.tales.complaint().empty());
  for (Host* h : {&p.a, &p.b}) h->membership.probe.datagram_interval = 100ms;
  p.a.configure();
  p.b.configure();
  for (Host* h : {&p.a, &p.b}) h->membership.probe.datagram_interval = 1s;  // what the rule believes
  p.run(2min);
  CHECK(p.complains_of("explain themselves"));
}

TEST_CASE("dials without back-off are complained of") {
  TamperedPair p{make<Storm>};
  p.run(5s);
  for (int i = 0; i < 40; ++i) {
    p.tales.tell(p.w.now(), p.a, {p.w.now(), event::DialStarted{p.b.id(), 1, 0}});
    p.w.run_for(500ms);
  }
  CHECK(p.complains_of("dials of"));
}

TEST_CASE("more than three times what a stranger sent is amplification, to the byte") {
  TamperedPair p{make<Amplification>};
  p.run(5s);
  auto forged = packet(kVictim, p.a.address(), Buffer(100, 0x40));
  p.tales.tell_arrived(p.w.now(), p.a.machine(), forged);
  p.tales.tell_sent(p.w.now(), p.a.machine(), packet(p.a.address(), kVictim, Buffer(300, 0x40)));
  CHECK(p.tales.complaint().empty());
  p.tales.tell_sent(p.w.now(), p.a.machine(), packet(p.a.address(), kVictim, Buffer(1, 0x40)));
  CHECK(p.complains_of("301 bytes"));
}

TEST_CASE("a handshake begun in another's name is no licence to flood him, though he is a peer") {
  TamperedPair p{make<Amplification>};
  p.run(5s);
  p.tales.tell_arrived(p.w.now(), p.a.machine(), packet(p.b.address(), p.a.address(), initial(5, 1200)));
  p.tales.tell_sent(p.w.now(), p.a.machine(), packet(p.a.address(), p.b.address(), answer(5, 3600)));
  CHECK(p.tales.complaint().empty());
  p.tales.tell_sent(p.w.now(), p.a.machine(), packet(p.a.address(), p.b.address(), answer(5, 1200)));
  CHECK(p.complains_of("of a connection"));
}

TEST_CASE("an answer whose original is lost proves its address by its copy") {
  for (const bool copied : {true, false}) {
    TamperedPair p{make<Amplification>};
    p.run(5s);
    const SocketAddress mapped{kVictim.ip, Host::kPort};
    std::uint64_t id = 10000;  // above all of the world's own
    const auto sent = [&](const Host& from, const SocketAddress& to, std::size_t size) {
      auto one = packet(from.address(), to, Buffer(size, 0x40));
      one.id = ++id;
      one.origin = from.machine().index();
      p.tales.tell_sent(p.w.now(), from.machine(), one);
      return one;
    };
    const auto arrives = [&](const Host& at, net::Packet one, const SocketAddress& source) {
      one.source = source;
      p.tales.tell_arrived(p.w.now(), at.machine(), one);
    };
    arrives(p.a, sent(p.b, p.a.address(), 100), mapped);
    arrives(p.b, sent(p.a, mapped, 120), p.a.address());
    const auto answer = sent(p.b, p.a.address(), 76);
    p.tales.dropped(p.w.now(), answer, net::Drop::lost, "internet");
    if (copied) arrives(p.a, answer, mapped);
    sent(p.a, mapped, 1200);
    CHECK(p.tales.complaint().empty() == copied);
  }
}

TEST_CASE("packets to an address that never answers are capped") {
  for (const unsigned times : {1U, 12U}) {
    TamperedPair p{make<Unsolicited>};
    p.w.link(p.a, p.b).up = false;
    p.w.link(p.b, p.a).up = false;
    p.tales.on_sent = [&](Instant at, const net::Machine& from, const net::Packet& packet) {
      for (unsigned i = 0; i < times; ++i) p.tales.tell_sent(at, from, packet);
    };
    p.run(5min);
    CHECK(p.complains_of("never answered") == (times > 1));
  }
}
