#include <catch2/catch_test_macros.hpp>

#include "sim/service/service_host.hpp"

namespace pw::sim {
namespace {

using wire::service::Refusal;
using wire::service::Services;

/// A client without manners: says what it is told to, on a connection that no service::Client has. Once it has greeted, it is
/// let in.
struct Rude {
  Rude(ServiceWorld& w, ServiceHost& h, ServiceHost& server, bool greets = true) : world{w}, host{h} {
    host.start();
    const PathAddress path = host.path_to(server);
    static_cast<void>(host.act([&](Instant now) {
      return host.endpoint->dial(now, std::span{&path, 1}, server.id(), quic::Protocol::service);
    }));
    world.run(200ms);
    REQUIRE(host.peers.size() == 1);
    stream = host.endpoint->open_stream(connection()).value_or(0);  // it may be closed at once
    if (!greets) return;
    say(hello());
    world.run(50ms);
    confirm();
  }
  void confirm() {
    if (const auto found = host.challenges.find(connection()); found != host.challenges.end())
      say(wire::service::Confirm{found->second});
  }
  static wire::service::Hello hello() {
    return {1, 1, Services::bootstrap | Services::carriage | Services::relay, service::mesh_tags("default", {}), {}, true};
  }
  quic::Handle connection() const { return host.peers[0].connection; }
  void say(const wire::service::Message& message) { say_bytes(wire::service::encode(message)); }
  void say_bytes(ByteView bytes) {
    host.act([&](Instant) { static_cast<void>(host.endpoint->write_stream(connection(), stream, bytes)); });
  }
  void packet(wire::service::Channel channel, std::size_t size) {
    host.act([&](Instant) { host.endpoint->write_datagram(connection(), wire::service::in_channel(channel, Buffer(size, 1))); });
  }
  ServiceWorld& world;
  ServiceHost& host;
  quic::StreamId stream{};
};

struct Scene : ServiceWorld {
  explicit Scene(service::ServerOptions options = defaults(), service::Admission admission = ServiceHost::everybody())
      : ServiceWorld{1}, server{add(1)}, victim{add(2)} {
    server.start(options, std::move(admission));
    victim.start();
    victim.keep_packets = true;
    victim.add_client(server, Services::bootstrap | Services::relay);
    run(500ms);
  }
  static service::ServerOptions defaults() {
    service::ServerOptions o;
    o.bootstrap = o.relay = true;
    return o;
  }
  service::ServerStats stats() const { return server.server->stats(); }
  ServiceHost &server, &victim;
};

}  // namespace

TEST_CASE("a flood of channels ends at their limit and at the rate of requests") {
  Scene s;
  Rude rude{s, s.add(3), s.server};
  s.run(200ms);
  for (std::uint32_t i = 0; i < 5000; ++i)
    rude.say(wire::service::OpenChannel{static_cast<wire::service::Channel>(i), s.victim.id()});
  s.run(2s);
  CHECK(s.stats().channels == 1);  // one of each for a pair
  CHECK(s.stats().of(service::ServedRequest::coordinate).refused >= 4900);
  CHECK(s.victim.told<service::ChannelUp>().size() == 1);
  CHECK(s.stats().all_clients() == 2);
}

TEST_CASE("nonsense as records is refused, and costs a limited number of signatures") {
  Scene s;
  Rude rude{s, s.add(3), s.server};
  s.run(200ms);
  const Buffer others = wire::encode(s.victim.record());
  rude.say(wire::service::Register{1, others});
  rude.say(wire::service::Register{2, Buffer(60000, 7)});
  rude.say(wire::service::Register{3, {}});
  s.run(1s);
  CHECK(s.stats().entries == 0);
  CHECK(s.stats().of(service::ServedRequest::enrol).refused == 3);
  for (std::uint32_t i = 0; i < 3000; ++i) rude.say(wire::service::Register{i, wire::encode(rude.host.record())});
  s.run(2s);
  CHECK(s.stats().entries == 1);
  CHECK(s.stats().of(service::ServedRequest::enrol).success <= 150);
}

TEST_CASE("an older record does not replace a newer one") {
  Scene s;
  Rude rude{s, s.add(3), s.server};
  const Buffer older = wire::encode(rude.host.record()), newer = wire::encode(rude.host.record());
  rude.say(wire::service::Register{1, newer});
  rude.say(wire::service::Register{2, older});
  s.run(500ms);
  CHECK(s.stats().of(service::ServedRequest::enrol).success == 1);
  CHECK(s.stats().of(service::ServedRequest::enrol).refused == 1);
}

TEST_CASE("the registry takes so many, and those who are in it may renew") {
  auto options = Scene::defaults();
  options.max_entries = 1;
  Scene s{options};
  Rude first{s, s.add(3), s.server}, second{s, s.add(4), s.server};
  first.say(wire::service::Register{1, wire::encode(first.host.record())});
  s.run(500ms);
  second.say(wire::service::Register{1, wire::encode(second.host.record())});
  s.run(500ms);
  first.say(wire::service::Register{2, wire::encode(first.host.record())});
  s.run(500ms);
  CHECK(s.stats().entries == 1);
  CHECK(s.stats().of(service::ServedRequest::enrol).success == 2);
  CHECK(s.stats().of(service::ServedRequest::enrol).refused == 1);
}

TEST_CASE("thousands of look-ups are answered at the rate that one client has") {
  Scene s;
  Rude rude{s, s.add(3), s.server};
  s.run(200ms);
  for (std::uint32_t i = 0; i < 4000; ++i) rude.say(wire::service::Lookup{i, {}, {}});
  s.run(1s);
  CHECK(s.stats().of(service::ServedRequest::lookup).success <= 125);
  CHECK(s.stats().of(service::ServedRequest::lookup).success >= 100);
  CHECK(s.stats().of(service::ServedRequest::lookup).success + s.stats().of(service::ServedRequest::lookup).refused == 4000);
}

TEST_CASE("packets of no channel, too short ones and those of a channel that is gone are dropped and counted") {
  Scene s;
  Rude rude{s, s.add(3), s.server};
  s.run(200ms);
  rude.packet(9, 100);
  rude.packet(9, 0);
  rude.say(wire::service::OpenChannel{9, s.victim.id()});
  s.run(200ms);
  rude.packet(9, 1200);
  s.run(200ms);
  CHECK(s.stats().forwarded_packets == 1);
  CHECK(s.victim.packets.size() == 1);
  rude.say(wire::service::ChannelClosed{9, {}});
  s.run(200ms);
  rude.packet(9, 100);
  s.run(200ms);
  CHECK(s.stats().of(service::DropReason::unknown_channel) == 2);
  CHECK(s.stats().of(service::DropReason::malformed) == 1);
  CHECK(s.stats().channels == 0);
  CHECK(s.victim.told<service::ChannelDown>().size() == 1);
}

TEST_CASE("who speaks before Hello, in too long messages, or never, is closed") {
  Scene s;
  Rude early{s, s.add(3), s.server, false}, longwinded{s, s.add(4), s.server, false}, silent{s, s.add(5), s.server, false};
  early.say(wire::service::Observe{1});
  longwinded.say_bytes(Buffer{0x7f, 0, 0, 0, 1});
  s.run(1s);
  REQUIRE(early.host.closed.size() == 1);
  CHECK(early.host.closed[0].detail == "a message before Hello");
  REQUIRE(longwinded.host.closed.size() == 1);
  CHECK(longwinded.host.closed[0].detail == "a control message is longer than 64 KiB");
  CHECK(silent.host.closed.empty());
  s.run(5s);
  REQUIRE(silent.host.closed.size() == 1);
  CHECK(silent.host.closed[0].application_code == static_cast<std::uint64_t>(service::CloseCode::not_admitted));
  CHECK(s.stats().clients_refused == 1);
}

TEST_CASE("clients are so many, and a second connection of one replaces the first") {
  auto options = Scene::defaults();
  options.max_clients = 2;
  Scene s{options};
  Rude second{s, s.add(3), s.server};
  s.run(200ms);
  Rude third{s, s.add(4), s.server};
  s.run(200ms);
  REQUIRE(third.host.closed.size() == 1);
  CHECK(third.host.closed[0].application_code == static_cast<std::uint64_t>(service::CloseCode::full));
  CHECK(s.stats().all_clients() == 2);
  const PathAddress path = second.host.path_to(s.server);
  static_cast<void>(second.host.act([&](Instant now) {
    return second.host.endpoint->dial(now, std::span{&path, 1}, s.server.id(), quic::Protocol::service);
  }));
  s.run(500ms);
  REQUIRE(second.host.peers.size() == 2);
  CHECK(second.host.closed.empty());  // one that says nothing replaces nobody
  const quic::Handle again = second.host.peers[1].connection;
  second.host.act([&](Instant) {
    const auto stream = second.host.endpoint->open_stream(again).value();
    static_cast<void>(second.host.endpoint->write_stream(again, stream, wire::service::encode(second.hello())));
  });
  s.run(100ms);
  CHECK(second.host.closed.empty());  // nor one that does not say the challenge back
  second.host.act([&](Instant) {
    static_cast<void>(second.host.endpoint->write_stream(
        again, second.host.streams.at(again), wire::service::encode(wire::service::Confirm{second.host.challenges.at(again)})));
  });
  s.run(500ms);
  REQUIRE(second.host.closed.size() == 1);
  CHECK(second.host.closed[0].application_code == static_cast<std::uint64_t>(service::CloseCode::replaced));
}

TEST_CASE("strangers who say nothing shut nobody out, and are gone when their time is over") {
  auto options = Scene::defaults();
  options.max_clients = 3;
  options.max_greeting = 4;
  Scene s{options};
  std::vector<std::unique_ptr<Rude>> strangers;
  for (std::uint8_t key = 10; key < 18; ++key)
    strangers.push_back(std::make_unique<Rude>(s, s.add(key), s.server, false));
  std::size_t closed = 0;
  for (const auto& stranger : strangers) closed += stranger->host.closed.size();
  CHECK(closed == 4);  // the oldest
  CHECK(strangers.front()->host.closed.at(0).application_code == static_cast<std::uint64_t>(service::CloseCode::full));
  ServiceHost& member = s.add(3);
  member.start();
  member.add_client(s.server, Services::bootstrap);
  s.run(200ms);
  CHECK(member.clients[0]->ready());
  CHECK(s.stats().all_clients() == 2);
  s.run(6s);
  for (const auto& stranger : strangers) CHECK(stranger->host.closed.size() == 1);
  CHECK(s.stats().clients_refused == strangers.size());
}

TEST_CASE("a mesh's server admits those who prove its secret, and a reload ends who proved an older one") {
  const Buffer secret(32, 1), older(32, 2), wrong(32, 3);
  service::Admission admission;
  admission.mode = service::AdmissionMode::secret;
  admission.secrets = {secret, older};
  Scene s{Scene::defaults(), admission};
  const auto join = [&](std::uint8_t key, std::vector<Buffer> secrets) -> ServiceHost& {
    ServiceHost& host = s.add(key);
    host.start();
    host.add_client(s.server, Services::bootstrap, {"default", std::move(secrets)});
    s.run(3s);
    return host;
  };
  ServiceHost& good = join(3, {secret});
  ServiceHost& old = join(4, {older});
  ServiceHost& bad = join(5, {wrong});
  ServiceHost& rotating = join(6, {wrong, secret});  // its second try is with the other one
  CHECK(good.clients[0]->ready());
  CHECK(old.clients[0]->ready());
  CHECK_FALSE(bad.clients[0]->ready());
  CHECK(rotating.clients[0]->ready());
  CHECK(bad.told<service::ServiceDown>().at(0).error == event::ErrorType::admission);
  CHECK_FALSE(s.victim.clients[0]->ready());  // no proof at all
  admission.secrets = {secret};
  s.server.act([&](Instant now) { s.server.server->configure(now, admission); });
  s.run(1s);
  CHECK(good.clients[0]->ready());
  REQUIRE_FALSE(old.told<service::ServiceDown>().empty());
  CHECK(old.told<service::ServiceDown>()[0].was_up);
  CHECK_FALSE(old.clients[0]->ready());
}

TEST_CASE("an allowlist decides by key, and a denied key is nowhere welcome") {
  service::Admission admission;
  ServiceWorld w{1};
  ServiceHost &server = w.add(1), &listed = w.add(2), &stranger = w.add(3);
  admission.allowed = {listed.id()};
  server.start(Scene::defaults(), admission);
  for (ServiceHost* host : {&listed, &stranger}) {
    host->start();
    host->add_client(server, Services::bootstrap);
  }
  w.run(400ms);
  CHECK(listed.clients[0]->ready());
  CHECK_FALSE(stranger.clients[0]->ready());
  admission.mode = service::AdmissionMode::open;
  admission.denied = {listed.id()};
  server.act([&](Instant now) { server.server->configure(now, admission); });
  w.run(10s);
  CHECK_FALSE(listed.clients[0]->ready());
  CHECK(stranger.clients[0]->ready());
}

TEST_CASE("an address that a server tells unasked is not heard") {
  Scene s;
  for (std::uint16_t port = 1; port <= 600; ++port) {
    const SocketAddress made_up{IpAddress::v4({198, 51, 100, 9}), port};
    s.server.act([&](Instant) {
      for (const auto& [connection, stream] : s.server.streams)
        static_cast<void>(s.server.endpoint->write_stream(connection, stream,
                                                          wire::service::encode(wire::service::Observed{0, made_up})));
    });
    s.run(10ms);
  }
  CHECK(s.victim.told<service::AddressObserved>().empty());
  CHECK(s.victim.clients[0]->ready());
}

TEST_CASE("who does not say the challenge back, or says another, is nobody and is closed") {
  Scene s;
  Rude silent{s, s.add(3), s.server, false}, wrong{s, s.add(4), s.server, false}, hasty{s, s.add(5), s.server, false};
  for (Rude* rude : {&silent, &wrong, &hasty}) rude->say(Rude::hello());
  s.run(100ms);
  REQUIRE(wrong.host.challenges.size() == 1);
  wire::service::Challenge other = wrong.host.challenges.begin()->second;
  other.back() ^= 1;
  wrong.say(wire::service::Confirm{other});
  hasty.say(wire::service::Lookup{1, {}, {}});
  s.run(500ms);
  CHECK(s.stats().all_clients() == 1);
  REQUIRE(wrong.host.closed.size() == 1);
  CHECK(wrong.host.closed[0].detail == "another challenge than was sent");
  REQUIRE(hasty.host.closed.size() == 1);
  CHECK(hasty.host.closed[0].detail == "a message before Confirm");
  CHECK(silent.host.closed.empty());
  s.run(5s);
  REQUIRE(silent.host.closed.size() == 1);
  CHECK(silent.host.closed[0].detail == "no Confirm in time");
  CHECK(s.stats().clients_refused == 1);
}

}  // namespace pw::sim
