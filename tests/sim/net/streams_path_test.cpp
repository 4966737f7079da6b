// Streams on real ways: through NATs and firewalls, at the speed that the way allows.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "sim/net/talker.hpp"

using namespace pw;
using namespace pw::net;
using E = StreamEvent;
using Events = std::vector<StreamEvent>;

namespace {

RouterOptions nat(Duration tcp_timeout = 2h + 4min) {
  RouterOptions o;
  o.nat.emplace();
  o.nat->tcp_timeout = tcp_timeout;
  return o;
}

Buffer text_of(std::size_t size) {
  Buffer b(size);
  Rng{1}.fill(b);
  return b;
}
bool same(const Buffer& a, const Buffer& b) { return a == b; }  // not inside CHECK, which would print both

/// A client behind a home router behind a carrier's NAT, and a relay in the core.
struct Nested {
  explicit Nested(RouterOptions home_options, RouterOptions carrier_options)
      : home{net.add_router("home", std::move(home_options))},
        carrier{net.add_router("carrier", std::move(carrier_options))} {
    carrier.attach_outer(core, {ip("192.0.2.1")});
    carrier.attach_inner(inside, {ip("100.64.0.1")});
    home.attach_outer(inside, {ip("100.64.0.2")});
    home.attach_inner(lan, {ip("192.168.1.1")});
    relay.streams->listen(Talker::kPort);
  }
  Net net{1};
  Segment& core = net.add_segment("core", Link{.delay = 20ms, .loss = 0.01});
  Segment& inside = net.add_segment("inside");
  Segment& lan = net.add_segment("lan", Link{.delay = 1ms});
  Router& home;
  Router& carrier;
  Talker relay{net, core, "relay", "192.0.2.9"};
  Talker client{net, lan, "client", "192.168.1.2"};
  Log log{net};
  void run(Duration d) { net.run_until(net.now() + d); }
};

/// Seconds that so many bytes take, from the first write to the last read.
double seconds(const Link& link, StreamOptions options, const Buffer& sent) {
  Net net{1};
  Segment& lan = net.add_segment("lan");
  Talker alice{net, lan, "alice", "10.0.0.1", options, link};
  Talker bob{net, lan, "bob", "10.0.0.2", options};
  bob.streams->listen(Talker::kPort);
  const StreamId id = alice.connect(bob.address());
  net.run_until(net.now() + 5s);
  const Instant begin = net.now();
  alice.say(id, sent);
  net.run_until(net.now() + 1h);
  REQUIRE(same(bob.heard[bob.accepted], sent));
  return to_seconds(bob.last_at[bob.accepted] - begin);
}

}  // namespace

TEST_CASE("a stream passes nested NATs both ways, and the relay sees the outermost address") {
  Nested n{nat(), nat()};
  n.relay.echoes = true;
  const StreamId id = n.client.connect(n.relay.address());
  n.client.say(id, text_of(200000));
  n.run(2min);
  CHECK(n.relay.streams->remote(n.relay.accepted).ip == ip("192.0.2.1"));
  CHECK(same(n.client.heard[id], text_of(200000)));
  n.client.streams->close(id);
  n.run(1min);
  CHECK(n.client.told(id, E::closed));
  CHECK(n.relay.told(n.relay.accepted, E::closed));
}

TEST_CASE("nobody connects to a client behind a NAT") {
  Nested n{nat(), nat()};
  n.client.streams->listen(Talker::kPort);
  const StreamId id = n.relay.connect({ip("192.0.2.1"), Talker::kPort});
  n.run(1min);
  CHECK(n.relay.events[id] == Events{E::timed_out});
  CHECK(n.log.count(Drop::no_mapping) > 2);
}

TEST_CASE("a stream that was silent for less than the NAT's time-out for TCP goes on") {
  Nested n{nat(1h), nat(1h)};
  const StreamId id = n.client.connect(n.relay.address());
  n.run(59min);
  n.relay.say(n.relay.accepted, "still there?");
  n.run(1min);
  CHECK(as_text(n.client.heard[id]) == "still there?");
}

TEST_CASE("a stream that was silent for longer is cut off: what the relay says does not arrive, and it learns that late") {
  Nested n{nat(1h), nat(1h)};
  const StreamId id = n.client.connect(n.relay.address());
  n.run(61min);
  n.relay.say(n.relay.accepted, "still there?");
  n.run(5min);
  CHECK(n.client.heard[id].empty());
  CHECK(n.log.count(Drop::no_mapping) > 2);
  CHECK(n.relay.told(n.relay.accepted, E::timed_out));
  CHECK(n.client.events[id] == Events{E::connected});
}

TEST_CASE("a firewall that blocks TCP lets no stream begin") {
  RouterOptions closed = nat();
  closed.firewall.tcp_blocked = true;
  Nested n{closed, nat()};
  const StreamId id = n.client.connect(n.relay.address());
  n.run(1min);
  CHECK(n.client.events[id] == Events{E::timed_out});
  CHECK(n.log.count(Drop::blocked) > 2);
}

TEST_CASE("a firewall that blocks UDP lets streams through") {
  RouterOptions closed = nat();
  closed.firewall.udp_blocked = true;
  Nested n{closed, nat()};
  const StreamId id = n.client.connect(n.relay.address());
  n.client.say(id, "by the back door");
  n.run(1min);
  CHECK(as_text(n.relay.heard[n.relay.accepted]) == "by the back door");
}

TEST_CASE("when the relay's machine starts anew, the client is reset as soon as it says something") {
  Nested n{nat(), nat()};
  const StreamId id = n.client.connect(n.relay.address());
  n.run(1s);
  n.relay.boot();
  n.run(10s);
  CHECK(!n.client.told(id, E::reset));
  n.client.say(id, "hello?");
  n.run(10s);
  CHECK(n.client.told(id, E::reset));
}

TEST_CASE("a small window sets the speed: a window each round trip") {
  StreamOptions small;
  small.receive_buffer = 16 << 10;
  const Duration rtt = GENERATE(50ms, 200ms);
  const Buffer sent = text_of(1 << 20);
  const double ideal = static_cast<double>(sent.size()) / static_cast<double>(small.receive_buffer) * to_seconds(rtt);
  const double took = seconds(Link{.delay = rtt / 2}, small, sent);
  CHECK(took > 0.9 * ideal);
  CHECK(took < 1.15 * ideal);
}

TEST_CASE("a slow link sets the speed, when its queue holds what the way does") {
  const double rate = GENERATE(50000.0, 500000.0);
  const Buffer sent = text_of(4 << 20);
  // Headers of 40 bytes with every 1220.
  const double ideal = static_cast<double>(sent.size()) / rate * (1260.0 / 1220.0);
  const double took = seconds(Link{.delay = 10ms, .rate = rate, .queue = 64 << 10}, StreamOptions{}, sent);
  CHECK(took > 0.98 * ideal);
  CHECK(took < 1.15 * ideal);
}
