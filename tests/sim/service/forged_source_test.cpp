// A member of the mesh does its handshake from where it is, and says the rest as if it were elsewhere. It knows all of its keys,
// so it needs to read nothing more of what the server sends to be let in, unless that is asked of it (docs/adr/0012).
#include <catch2/catch_test_macros.hpp>

#include "sim/service/service_host.hpp"

namespace pw::sim {
namespace {

using wire::service::Services;

const SocketAddress kVictim{IpAddress::v4({192, 0, 2, 66}), 5000};
constexpr Services kAll = Services::bootstrap | Services::carriage | Services::relay;

/// What others send there. The forger's QUIC gets it too, so that it acknowledges it: packet numbers can be guessed. Of what is in
/// it the forger here uses nothing.
class SentToVictim : public net::Observer {
 public:
  SentToVictim(net::Net& net, ServiceHost& forger) : net_{net}, forger_{forger} { net_.add_observer(*this); }
  ~SentToVictim() override { net_.remove_observer(*this); }
  void sent(Instant, const net::Machine&, const net::Packet& packet) override {
    if (packet.destination.ip != kVictim.ip) return;
    bytes += packet.payload.size();
    forger_.machine.inject(packet.source, ServiceHost::kPort, packet.payload);
  }
  std::size_t bytes = 0;

 private:
  net::Net& net_;
  ServiceHost& forger_;
};

struct Scene : ServiceWorld {
  Scene() : ServiceWorld{1}, server{add(1)}, member{add(2)}, forger{add(3)} {
    net.add_machine("victim").attach(*segment, {kVictim.ip});
    service::ServerOptions options;
    options.bootstrap = options.relay = true;
    server.start(options);
    for (std::uint8_t i = 0; i < 20; ++i) enrol(add(static_cast<std::uint8_t>(100 + i)));  // answers to look-ups are long
    enrol(member);
    forger.start();
    forger.diverts = [this](ByteView packet) {
      if (forger.arrivals == 0) return false;  // the server's flight came to where it is
      forged += packet.size();
      server.machine.inject(kVictim, ServiceHost::kPort, Buffer(packet.begin(), packet.end()));
      return true;
    };
    const PathAddress path = forger.path_to(server);
    static_cast<void>(forger.act([&](Instant now) {
      return forger.endpoint->dial(now, std::span{&path, 1}, server.id(), quic::Protocol::service);
    }));
    run(200ms);
    REQUIRE(forger.peers.size() == 1);
    stream = forger.endpoint->open_stream(forger.peers[0].connection).value();
    say(wire::service::Hello{1, 1, kAll, service::mesh_tags("default", {}), {}, true});
  }
  void enrol(ServiceHost& host) {
    host.start();
    host.add_client(server, kAll);
    run(200ms);
    const auto record = host.record();
    host.act([&](Instant now) { host.clients[0]->publish(now, record); });
  }
  void say(const wire::service::Message& message) {
    forger.act([&](Instant) {
      static_cast<void>(forger.endpoint->write_stream(forger.peers[0].connection, stream, wire::service::encode(message)));
    });
  }
  /// All that has answers, and all that makes others send there.
  void do_harm() {
    say(wire::service::Register{1, wire::encode(forger.record())});
    say(wire::service::OpenChannel{1, member.id()});
    for (std::uint32_t i = 0; i < 100; ++i) say(wire::service::Lookup{i, {}, {}});
    for (int i = 0; i < 20; ++i) {
      run(500ms);
      const auto via = member.act([&](Instant now) { return member.clients[0]->open_channel(now, forger.id()); });
      if (via)
        for (int n = 0; n < 10; ++n) member.act([&](Instant) { member.clients[0]->send(*via, Buffer(1200, 1)); });
    }
  }
  void check() {
    CHECK(forged > 0);
    CHECK(at_victim.bytes <= 3 * forged);  // RFC 9000 section 8.1
    CHECK(member.told<service::PeerObserved>().empty());
    CHECK(server.server->stats().all_clients() == 21);
    REQUIRE(member.act([&](Instant now) { return member.clients[0]->look_up(now, forger.id()); }));
    run(500ms);
    for (const auto& done : member.told<service::LookupDone>()) CHECK(done.found.empty());
  }
  ServiceHost &server, &member, &forger;
  quic::StreamId stream{};
  std::size_t forged = 0;  // bytes, in the victim's name
  SentToVictim at_victim{net, forger};
};

}  // namespace

TEST_CASE("a forger that says Hello from another's address is seen nowhere, and has nothing sent there") {
  Scene s;
  s.do_harm();
  s.check();
}

TEST_CASE("a forger has nothing by a guess at the challenge that was sent elsewhere") {
  Scene s;
  s.say(wire::service::Confirm{});
  s.do_harm();
  s.check();
}

TEST_CASE("a forger has nobody knocked at") {
  Scene s;
  s.server.act([&](Instant) { s.server.server->offer_knocks(true); });
  for (std::uint32_t i = 0; i < 10; ++i) s.say(wire::service::CheckMapping{i, {kVictim.ip, 53}, {}});
  s.run(1s);
  CHECK_FALSE(s.server.server->poll_knock());
  s.check();
}

}  // namespace pw::sim
