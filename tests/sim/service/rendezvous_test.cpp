#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "sim/service/service_host.hpp"

namespace pw::sim {
namespace {

using service::ChannelDown;
using service::ChannelLoss;
using service::ChannelUp;
using service::LookupDone;
using service::RequestDone;
using service::RequestResult;
using service::ServiceDown;
using service::ServiceUp;
using wire::service::Services;

constexpr Services kAll = Services::bootstrap | Services::carriage | Services::relay;

service::ServerOptions relay() {
  service::ServerOptions o;
  o.bootstrap = o.relay = true;
  return o;
}

service::ServerOptions bootstrap() {
  service::ServerOptions o;
  o.bootstrap = true;
  return o;
}

/// A server and two clients of it, ready.
struct Trio : ServiceWorld {
  explicit Trio(const service::ServerOptions& options, std::uint64_t seed = 1, const net::Link& link = {.delay = 10ms})
      : ServiceWorld{seed, link}, server{add(1)}, a{add(2)}, b{add(3)} {
    server.start(options);
    for (ServiceHost* host : {&a, &b}) {
      host->start();
      host->add_client(server, kAll);
    }
    for (int i = 0; i < 50 && !(client(a).ready() && client(b).ready()); ++i) run(200ms);
    REQUIRE(client(a).ready());
    REQUIRE(client(b).ready());
  }
  static service::Client& client(ServiceHost& host) { return *host.clients.front(); }
  void enrol(ServiceHost& host, std::uint32_t lifetime_s = 600) {
    const auto record = host.record(lifetime_s);
    host.act([&](Instant now) { client(host).publish(now, record); });
    run(1s);
  }
  LookupDone look_up(ServiceHost& host, const std::optional<PeerId>& peer) {
    const std::size_t before = host.told<LookupDone>().size();
    REQUIRE(host.act([&](Instant now) { return client(host).look_up(now, peer); }));
    for (int i = 0; i < 60 && host.told<LookupDone>().size() == before; ++i) run(100ms);
    REQUIRE(host.told<LookupDone>().size() == before + 1);
    return host.told<LookupDone>().back();
  }
  /// The channel from a to b, as both call it.
  std::pair<Via, Via> channel() {
    const std::size_t before = b.told<ChannelUp>().size();
    const auto via = a.act([&](Instant now) { return client(a).open_channel(now, b.id()); });
    REQUIRE(via);
    for (int i = 0; i < 60 && b.told<ChannelUp>().size() == before; ++i) run(100ms);
    run(200ms);
    REQUIRE(b.told<ChannelUp>().size() == before + 1);
    CHECK(a.told<ChannelUp>().back().via == *via);
    return {*via, b.told<ChannelUp>().back().via};
  }
  ServiceHost &server, &a, &b;
};

/// Where the server says that the other end of a channel is, the last time.
std::optional<SocketAddress> seen_through(const ServiceHost& host, Via via) {
  std::optional<SocketAddress> last;
  for (const auto& e : host.told<service::PeerObserved>())
    if (e.via == via) last = e.address;
  return last;
}

bool handshake_through(Trio& t) {
  const auto [at_a, at_b] = t.channel();
  const PathAddress path{{}, {}, at_a};
  const auto dialled = t.a.act([&](Instant now) { return t.a.endpoint->dial(now, std::span{&path, 1}, t.b.id()); });
  REQUIRE(dialled);
  t.run(9s);
  if (t.a.peers.empty() || t.b.peers.empty()) return false;
  CHECK(t.b.peers.back().path == PathAddress{{}, {}, at_b});
  CHECK(t.b.peers.back().peer == t.a.id());
  CHECK(t.a.endpoint->exporter(t.a.peers.back().connection) == t.b.endpoint->exporter(t.b.peers.back().connection));
  CHECK(std::ranges::max(t.a.sent_through_channels) == quic::kUdpPayload);
  CHECK(std::ranges::max(t.b.sent_through_channels) == quic::kUdpPayload);
  return true;
}

}  // namespace

TEST_CASE("two nodes find each other at a bootstrap, and nobody else finds them") {
  Trio t{bootstrap()};
  t.enrol(t.a);
  t.enrol(t.b);
  const LookupDone one = t.look_up(t.a, t.b.id());
  REQUIRE(one.found.size() == 1);
  CHECK(one.found[0].record.id == t.b.id());
  CHECK(one.found[0].present);
  REQUIRE(one.found[0].observed.size() == 1);
  CHECK(one.found[0].observed[0] == t.b.address());
  CHECK(t.look_up(t.a, std::nullopt).found.size() == 1);  // without oneself
  CHECK(t.look_up(t.a, t.server.id()).found.empty());
  CHECK(t.a.told<ServiceUp>().at(0).observed == t.a.address());

  ServiceHost& other = t.add(9);
  other.start();
  service::Client& c = other.add_client(t.server, kAll, {"another mesh", {}});
  t.run(1s);
  REQUIRE(c.ready());
  CHECK(t.look_up(other, t.b.id()).found.empty());
  CHECK(t.look_up(other, std::nullopt).found.empty());
  CHECK(other.act([&](Instant now) { return c.open_channel(now, t.b.id()); }));
  t.run(1s);
  REQUIRE(other.told<ChannelDown>().size() == 1);
  CHECK(other.told<ChannelDown>()[0].refusal == wire::service::Refusal::not_present);

  const service::ServerStats s = t.server.server->stats();
  CHECK(s.entries == 2);
  CHECK(s.all_clients() == 3);
  CHECK(s.of(service::ServedRequest::enrol).success == 2);
  CHECK(s.of(service::ServedRequest::lookup).success == 5);
  CHECK(s.of(service::ServedRequest::coordinate).refused == 1);
  for (const RequestDone& r : t.a.told<RequestDone>()) CHECK((r.took >= 20ms && r.took < 60ms));
}

TEST_CASE("a whole mesh comes in pages") {
  ServiceWorld w{1};
  ServiceHost& server = w.add(1);
  server.start(bootstrap());
  constexpr std::uint8_t kNodes = 70;
  for (std::uint8_t i = 0; i < kNodes; ++i) {
    ServiceHost& host = w.add(static_cast<std::uint8_t>(10 + i));
    host.start();
    service::Client& c = host.add_client(server, kAll);
    const auto record = host.record();
    host.act([&](Instant now) { c.publish(now, record); });
    w.run(200ms);  // one source has so many new connections a second
  }
  w.run(1s);
  ServiceHost& asker = *w.hosts.back();
  REQUIRE(asker.act([&](Instant now) { return asker.clients[0]->look_up(now, std::nullopt); }));
  w.run(1s);
  const auto pages = asker.told<LookupDone>();
  REQUIRE(pages.size() == 3);
  CHECK(pages[0].more);
  CHECK_FALSE(pages[2].more);
  CHECK(pages[0].found.size() + pages[1].found.size() + pages[2].found.size() == kNodes - 1);
}

TEST_CASE("a whole handshake of two peers goes through a relay") {
  Trio t{relay()};
  REQUIRE(handshake_through(t));
  for (int i = 0; i < 20; ++i) {
    t.a.act([&](Instant) { t.a.endpoint->write_datagram(t.a.peers[0].connection, Buffer(quic::kMaxDatagram, 5)); });
    t.run(50ms);
  }
  CHECK(t.b.datagrams.size() == 20);
  const service::ServerStats s = t.server.server->stats();
  CHECK(s.forwarded_packets >= 40);
  CHECK(s.channels == 1);
  for (const std::uint64_t dropped : s.dropped) CHECK(dropped == 0);
}

TEST_CASE("both ends of a channel are told where the server sees the other") {
  Trio t{relay()};
  const auto [at_a, at_b] = t.channel();
  CHECK(seen_through(t.a, at_a) == t.b.address());
  CHECK(seen_through(t.b, at_b) == t.a.address());
}

TEST_CASE("a channel of another's for which a client has no room is closed, and told") {
  Trio t{relay()};
  ServiceHost& small = t.add(9);
  small.client_options.max_channels = 0;
  small.start();
  small.add_client(t.server, kAll);
  t.run(1s);
  REQUIRE(t.a.act([&](Instant now) { return t.a.clients[0]->open_channel(now, small.id()); }));
  t.run(1s);
  REQUIRE(small.told<service::ChannelTurnedAway>().size() == 1);
  CHECK(small.told<service::ChannelTurnedAway>()[0].peer == t.a.id());
  CHECK(small.told<ChannelUp>().empty());
  CHECK(t.server.server->stats().channels == 0);
}

TEST_CASE("a handshake fits into what a bootstrap carries") {
  Trio t{bootstrap()};
  REQUIRE(handshake_through(t));
  CHECK(t.server.server->stats().forwarded_bytes < 16 << 10);
}

TEST_CASE("with a packet in twenty lost, handshakes go through a relay all the same") {
  std::size_t good = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Trio t{relay(), seed, {.delay = 20ms, .loss = 0.05}};
    good += handshake_through(t) ? 1 : 0;
  }
  CHECK(good == 20);
}

TEST_CASE("a bootstrap carries so much for a pair, whoever opens how many channels, until the hour is over") {
  Trio t{bootstrap()};
  t.a.keep_packets = t.b.keep_packets = true;
  std::uint64_t arrived = 0;
  for (int round = 0; round < 3; ++round) {
    const auto via = t.a.act([&](Instant now) { return Trio::client(t.a).open_channel(now, t.b.id()); });
    t.run(300ms);
    for (int i = 0; i < 100; ++i) {
      t.a.act([&](Instant) { return Trio::client(t.a).send(*via, Buffer(1000, 1)); });
      t.run(5ms);
    }
    t.run(1s);
  }
  for (const auto& [via, bytes] : t.b.packet_bytes) arrived += bytes;
  CHECK(arrived <= 64 << 10);
  CHECK(arrived > 63 << 10);
  const auto down = t.a.told<ChannelDown>();
  REQUIRE(down.size() == 3);
  CHECK(down[0].why == ChannelLoss::pair_limit);
  CHECK(down[1].why == ChannelLoss::refused);
  CHECK(down[2].refusal == wire::service::Refusal::pair_limit);
  CHECK(t.b.told<ChannelDown>().at(0).why == ChannelLoss::pair_limit);
  CHECK(t.server.server->stats().of(service::DropReason::pair_limit) == 1);
  t.run(std::chrono::hours{1});
  t.channel();
}

TEST_CASE("who is gone is told, and a restarted server is found again") {
  Trio t{relay()};
  t.enrol(t.a);
  t.channel();
  t.server.kill();
  t.run(2s);
  t.server.start(relay());
  // The first packet gets a stateless reset; at the latest the keep-alive is one.
  t.run(20s);
  REQUIRE(t.a.told<ServiceDown>().size() == 1);
  CHECK(t.a.told<ServiceDown>()[0].was_up);
  REQUIRE(t.a.told<ChannelDown>().size() == 1);
  CHECK(t.a.told<ChannelDown>()[0].why == ChannelLoss::connection_lost);
  CHECK(t.a.told<ServiceUp>().size() == 2);
  CHECK(t.server.server->stats().all_clients() == 2);
  CHECK(t.server.server->stats().entries == 1);  // registered again
  t.channel();
  const auto vias = t.a.told<ChannelUp>();
  CHECK(vias[0].via != vias[1].via);
  // The other end's leaving, of the server, is told too.
  t.b.act([&](Instant now) { Trio::client(t.b).shutdown(now); });
  t.run(1s);
  CHECK(t.a.told<ChannelDown>().back().why == ChannelLoss::peer_gone);
}

TEST_CASE("a registration is renewed before it expires, and gone after its peer is") {
  Trio t{bootstrap()};
  t.enrol(t.a, 60);
  t.run(std::chrono::minutes{5});
  CHECK(t.look_up(t.b, t.a.id()).found.size() == 1);
  t.a.kill();
  t.run(20s);
  CHECK(t.look_up(t.b, t.a.id()).found.size() == 1);  // known still, if not here
  t.run(60s);
  CHECK(t.look_up(t.b, t.a.id()).found.empty());
  CHECK(t.server.server->stats().entries == 0);
}

TEST_CASE("every channel that was asked for is told of as a request, once, whatever became of it") {
  Trio t{relay()};
  const auto asked = [&] {
    std::vector<RequestResult> out;
    for (const RequestDone& r : t.a.told<RequestDone>())
      if (r.kind == service::RequestKind::coordinate) out.push_back(r.result);
    return out;
  };
  const auto open = [&] {
    return *t.a.act([&](Instant now) { return Trio::client(t.a).open_channel(now, t.b.id()); });
  };
  // Given up before the answer, which is that it is open.
  const Via via = open();
  t.a.act([&](Instant) { Trio::client(t.a).close_channel(via); });
  CHECK(t.a.told<ChannelDown>().at(0).why == ChannelLoss::local);
  t.run(1s);
  CHECK(asked() == std::vector{RequestResult::success});
  CHECK(t.a.told<ChannelUp>().empty());
  CHECK(t.a.told<ChannelDown>().size() == 1);
  CHECK(t.server.server->stats().channels == 0);
  // The connection is lost before the answer.
  open();
  t.a.act([&](Instant now) { Trio::client(t.a).shutdown(now); });
  CHECK(asked() == std::vector{RequestResult::success, RequestResult::lost});
  CHECK(t.a.told<ChannelDown>().size() == 2);
}

TEST_CASE("a lost answer is a time-out, and what was asked is told to have failed") {
  Trio t{bootstrap()};
  t.server.machine.freeze(std::chrono::seconds{8});
  REQUIRE(t.a.act([&](Instant now) { return Trio::client(t.a).look_up(now, t.b.id()); }));
  REQUIRE(t.a.act([&](Instant now) { return Trio::client(t.a).open_channel(now, t.b.id()); }));
  t.run(6s);
  REQUIRE(t.a.told<LookupDone>().size() == 1);
  CHECK(t.a.told<LookupDone>()[0].result == RequestResult::timeout);
  REQUIRE(t.a.told<ChannelDown>().size() == 1);
  CHECK(t.a.told<ChannelDown>()[0].why == ChannelLoss::timeout);
  t.run(10s);
  CHECK(t.look_up(t.a, t.b.id()).result == RequestResult::success);  // late answers did no harm
  CHECK(t.server.server->stats().channels == 0);
}

}  // namespace pw::sim
