// Members of a mesh, and servers, that want to harm a node through what relays and bootstraps do for it.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"
#include "sim/service/service_host.hpp"

using namespace pw;
using namespace pw::sim;
using event::ServiceRequest;
using wire::service::Services;

namespace {

constexpr std::uint8_t kRudeKey = 200;

/// A node with a relay, and somebody at the same relay who only knows how to open channels.
struct Scene {
  explicit Scene(std::uint64_t seed, peer::AdmissionMode mode = peer::AdmissionMode::secret)
      : w{seed}, relay{w.add("relay")}, victim{w.add("victim")}, machine{w.net.add_machine("rude")}, rude{machine, kRudeKey} {
    machine.attach(w.internet, {IpAddress::v4({198, 51, 100, 200})});
    relay.options.services.server.bootstrap = relay.options.services.server.relay = true;
    relay.membership.serve_anybody = true;
    victim.membership.admission = mode;
    if (mode == peer::AdmissionMode::secret) victim.membership.secrets = {secret()};
    victim.membership.servers = {relay.server_spec(true, true)};
    w.start_all();
    rude.start();
    rude.keep_packets = true;  // and answers nothing
    rude.add_client(relay.id(), {{}, relay.address()}, Services::relay, credentials(mode));
    w.run_until([&] { return client().ready() && server().state == event::ServerState::ready; }, 10s);
  }
  static Buffer secret() { return Buffer(32, 7); }
  static service::Credentials credentials(peer::AdmissionMode mode) {
    service::Credentials c;
    if (mode == peer::AdmissionMode::secret) c.secrets = {secret()};
    return c;
  }
  service::Client& client() { return *rude.clients[0]; }
  event::ServerSnapshot server() const { return victim.snapshot().servers.at(0); }
  std::optional<Via> open() {
    const auto via = rude.act([&](Instant now) { return client().open_channel(now, victim.id()); });
    return via ? std::optional{*via} : std::nullopt;
  }
  World w;
  Host& relay;
  Host& victim;
  net::Machine& machine;
  ServiceHost rude;
};

}  // namespace

TEST_CASE("another channel is no other source of new connections") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed};
    std::size_t most = 0;
    for (int round = 0; round < 5; ++round) {
      const auto via = s.open();
      s.w.run_for(100ms);
      if (!via || s.server().channels != 1) return "no channel";
      const PathAddress path{{}, {}, *via};
      for (int i = 0; i < 30; ++i)
        static_cast<void>(s.rude.act([&](Instant now) { return s.rude.endpoint->dial(now, {&path, 1}, s.victim.id()); }));
      s.w.run_for(100ms);
      most = std::max(most, s.victim.snapshot().half_open);
      s.rude.act([&](Instant) { s.client().close_channel(*via); });
      s.w.run_for(50ms);
    }
    if (most < 30) return "no handshake got through";
    if (most > 60) return std::to_string(most) + " half-open connections of one peer";  // 40, and 20 a second
    return {};
  });
}

TEST_CASE("a channel that nothing comes through is closed, and so many stand open at a time") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    for (const auto mode : {peer::AdmissionMode::secret, peer::AdmissionMode::allowlist}) {
      Scene s{seed, mode};
      if (!s.open()) return "no channel";
      s.w.run_for(1s);
      if (s.server().channels != 1) return "the channel is not there";
      if (s.victim.count<event::InboundChannelClosed>() != 0) return "it was closed at once";
      s.w.run_for(15s);
      if (s.server().channels != 0) return "the channel is there still";
      const auto told = s.victim.all<event::InboundChannelClosed>();
      if (told.size() != 1 || told[0].reason != event::ChannelClosure::unused || told[0].server != s.relay.id() ||
          told[0].peer != s.rude.id())
        return "it was not told why";
      if (s.rude.told<service::ChannelDown>().size() != 1) return "whoever opened it was not told";
    }
    return {};
  });
}

TEST_CASE("who is not listed is told so through a relay too") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, peer::AdmissionMode::allowlist};
    Host& stranger = s.w.add("stranger");
    stranger.membership.servers = s.victim.membership.servers;
    stranger.membership.peers = {{s.victim.id(), "victim", false, {}}};
    stranger.start();
    s.w.run_for(3s);
    const auto refused = stranger.all<event::AdmissionRefused>();
    if (refused.empty() || refused[0].reason != event::AdmissionRefusal::not_allowlisted) return "it was not told why";
    if (!s.w.run_until([&] { return s.server().channels == 0; }, 5s)) return "its channel is there still";
    return {};
  });
}

TEST_CASE("a bootstrap that goes on saying that a peer has come costs the others nothing") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    World w{seed};
    Host& honest = w.add("honest");
    Host& victim = w.add("victim");
    net::Machine& machine = w.net.add_machine("liar");
    machine.attach(w.internet, {IpAddress::v4({198, 51, 100, 200})});
    ServiceHost liar{machine, kRudeKey};
    service::ServerOptions options;
    options.bootstrap = true;
    liar.start(options);
    honest.options.services.server.bootstrap = true;
    honest.membership.serve_anybody = true;
    victim.membership.servers = {
        {liar.id(), "liar", true, false, {{liar.address().ip.to_string(), ServiceHost::kPort}}},
        honest.server_spec(true, false)};
    const PeerId absent = w.add("absent").id();
    victim.membership.peers = {{absent, "absent", false, {}}};
    honest.start();
    victim.start();
    w.run_for(2s);
    for (const auto& server : victim.snapshot().servers)
      if (server.state != event::ServerState::ready) return "a server is not there";
    const auto asked = [&] { return honest.snapshot().serving->stats.of(ServiceRequest::lookup).success; };
    const auto before = asked();
    for (int i = 0; i < 600; ++i) {
      liar.act([&](Instant) {
        for (const auto& [connection, stream] : liar.streams)
          static_cast<void>(liar.endpoint->write_stream(
              connection, stream, wire::service::encode(wire::service::PeerPresent{absent})));
      });
      w.run_for(100ms);
    }
    // A search lasts ten seconds.
    if (asked() == before) return "no other was asked";
    if (asked() - before > 12) return std::to_string(asked() - before) + " look-ups at another bootstrap";
    return {};
  });
}

TEST_CASE("a bootstrap that did not answer is asked after the others") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    World w{seed};
    Host& silent = w.add("silent");
    Host& honest = w.add("honest");
    Host& a = w.add("a");
    Host& b = w.add("b");
    for (Host* server : {&silent, &honest}) {
      server->options.services.server.bootstrap = server->options.services.server.relay = true;
      server->membership.serve_anybody = true;
    }
    net::Link near;
    near.delay = 1ms;
    w.both_ways(a, silent, near);
    a.membership.servers = {silent.server_spec(true, true), honest.server_spec(true, true)};
    b.membership.servers = {honest.server_spec(true, true)};
    const PeerId absent = w.add("absent").id();
    for (Host* h : {&a, &b}) {
      h->membership.admission = peer::AdmissionMode::secret;
      h->membership.secrets = {Scene::secret()};
    }
    for (Host* h : {&silent, &honest, &a, &b}) h->start();
    w.run_for(3s);
    w.freeze(silent, 12s);
    a.membership.peers = {{b.id(), "b", false, {}}, {absent, "absent", false, {}}};
    a.configure();
    w.run_for(8s);  // the nearest was asked for the absent one, in vain
    if (!a.connected(b)) return "not connected";
    a.command(event::Disconnect{b.id()});
    w.run_for(500ms);
    a.command(event::Connect{b.id(), {}});
    if (!w.run_until([&] { return a.connected(b); }, 1500ms)) return "it waits for who did not answer";
    return {};
  });
}
