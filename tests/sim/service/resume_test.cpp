// A client's channels go over to another connection of the same node that asks for them.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "sim/service/service_host.hpp"

namespace pw::sim {
namespace {

using service::ChannelDown;
using service::ChannelUp;
using wire::service::Services;

constexpr Services kAll = Services::bootstrap | Services::carriage | Services::relay;

/// Two clients of a relay with a channel between them, which the first one's client opened.
struct Scene : ServiceWorld {
  Scene() : ServiceWorld{1}, server{add(1)}, a{add(2)}, b{add(3)} {
    service::ServerOptions relay;
    relay.bootstrap = relay.relay = true;
    server.start(relay);
    for (ServiceHost* host : {&a, &b}) {
      host->start();
      host->keep_packets = true;
      host->add_client(server, kAll);
    }
    run(500ms);
    at_a = a.act([&](Instant now) { return a.clients[0]->open_channel(now, b.id()); }).value();
    run(200ms);
    REQUIRE(b.told<ChannelUp>().size() == 1);
  }
  /// By a connection that no service::Client has.
  void come_again(bool resume, Services services = kAll) {
    const PathAddress path = a.path_to(server);
    static_cast<void>(a.act([&](Instant now) {
      return a.endpoint->dial(now, std::span{&path, 1}, server.id(), quic::Protocol::service);
    }));
    run(200ms);
    const quic::Handle connection = a.peers.back().connection;
    wire::service::Hello hello{1, 1, services, service::mesh_tags("default", {}), {}, true};
    hello.resume = resume;
    a.act([&](Instant) {
      const auto stream = a.endpoint->open_stream(connection).value();
      static_cast<void>(a.endpoint->write_stream(connection, stream, wire::service::encode(hello)));
    });
    run(100ms);
    a.act([&](Instant) {
      static_cast<void>(a.endpoint->write_stream(connection, a.streams.at(connection),
                                                 wire::service::encode(wire::service::Confirm{a.challenges.at(connection)})));
    });
    run(200ms);
  }
  bool packet_arrives() {
    const auto before = b.packets[b.told<ChannelUp>()[0].via];
    a.act([&](Instant) { return a.clients[0]->send(at_a, Buffer(1200, 7)); });
    run(200ms);
    return b.packets[b.told<ChannelUp>()[0].via] == before + 1;
  }
  std::size_t channels() const { return server.server->stats().channels; }
  ServiceHost &server, &a, &b;
  Via at_a{};
};

}  // namespace

TEST_CASE("channels that are resumed live on, for what is under way in the connection that is left, too") {
  Scene s;
  REQUIRE(s.packet_arrives());
  s.come_again(true);
  CHECK(s.channels() == 1);
  CHECK(s.b.told<ChannelDown>().empty());
  CHECK(s.server.server->stats().all_clients() == 2);
  CHECK(s.packet_arrives());
  CHECK(s.server.server->stats().of(service::DropReason::unknown_channel) == 0);
}

TEST_CASE("the other end is told anew where a client is seen whose channels went over") {
  Scene s;
  CHECK(s.b.told<service::PeerObserved>().size() == 1);
  s.come_again(true);
  const auto told = s.b.told<service::PeerObserved>();
  REQUIRE(told.size() == 2);
  CHECK(told[1].via == s.b.told<ChannelUp>()[0].via);
  CHECK(told[1].address == s.a.address());
}

TEST_CASE("a connection that does not ask for the channels of another, or for less than it had, ends them with it") {
  for (const auto& [resume, services] : {std::pair{false, kAll}, std::pair{true, Services::bootstrap}}) {
    Scene s;
    s.come_again(resume, services);
    CHECK(s.channels() == 0);
    CHECK(s.b.told<ChannelDown>().size() == 1);
  }
}

TEST_CASE("the connection that was left is closed after a while, and its end ends no channel") {
  Scene s;
  s.come_again(true);
  s.a.clients.clear();  // or it would come back, and replace the other
  s.run(service::ServerOptions{}.former_timeout + 1s);
  CHECK(s.channels() == 1);
  CHECK(s.b.told<ChannelDown>().empty());
  CHECK(std::ranges::any_of(s.a.closed, [](const quic::Closed& e) {
    return e.application_code == static_cast<std::uint64_t>(service::CloseCode::replaced);
  }));
}

}  // namespace pw::sim
