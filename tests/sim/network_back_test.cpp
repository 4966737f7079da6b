// A machine's network changes, or is back after it was gone: whoever waits does not wait on.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"
#include "sim/inflict.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

/// One who dials, one who is dialled only, and a server.
struct Scene {
  explicit Scene(std::uint64_t seed, bool serves)
      : w{seed}, dialler{w.add("dialler")}, other{w.add("other")}, faults{w} {
    dialler.membership.peers = {other.spec()};
    other.membership.peers = {{dialler.id(), "dialler", false, {}}};
    other.options.services.server.bootstrap = other.options.services.server.relay = serves;
    if (serves) dialler.membership.servers = {other.server_spec(true, true)};
    w.start_all();
  }
  bool served() const {
    return dialler.snapshot().servers.at(0).state == event::ServerState::ready;
  }
  /// The dialler's network, for half a minute, once it has been refused for long; what happens then is in its events.
  void flap() {
    w.run_for(60s);
    dialler.events.clear();
    for (int i = 0; i < 60; ++i) {
      const auto out = faults.inflict(
          {.kind = FaultKind::interface_down, .host = 0, .other = {}, .router = {}, .amount = 0, .lasts = std::nullopt});
      w.run_for(250ms);
      faults.end(out);
      w.run_for(250ms);
    }
  }
  World w;
  Host& dialler;
  Host& other;
  Faults faults;
};

}  // namespace

TEST_CASE("dials that wait are begun when the network is back, and not all the time while it comes and goes") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, false};
    if (!s.w.run_until([&] { return s.dialler.connected(s.other); }, 20s)) return "not connected";
    const auto out = s.faults.inflict(
        {.kind = FaultKind::interface_down, .host = 0, .other = {}, .router = {}, .amount = 0, .lasts = std::nullopt});
    // Until it has failed often enough that it waits for long.
    const auto waits = [&] {
      const auto peer = s.dialler.peer(s.other);
      return peer.next_dial && *peer.next_dial > s.dialler.machine().now() + 15s;
    };
    if (!s.w.run_until(waits, std::chrono::minutes{10})) return "it never waits for long";
    s.faults.end(out);
    if (!s.w.run_until([&] { return s.dialler.connected(s.other); }, 2s)) return "it waits though the network is back";
    return broken_rule(s.w);
  });
}

TEST_CASE("however often the network comes and goes, a peer's dial is hastened once in five seconds") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, false};
    s.other.membership.peers.clear();  // and refuses at once
    s.other.configure();
    s.flap();
    // Seven, and those whose back-off is over by itself: it may be short by chance.
    if (const auto dials = s.dialler.count<event::DialStarted>(); dials > 14) return std::to_string(dials) + " dials in 30 s";
    return broken_rule(s.w);
  });
}

TEST_CASE("a client with another address is back at its server within seconds, and needs no keep-alive for it") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, true};
    if (!s.w.run_until([&] { return s.served(); }, 10s)) return "no server";
    s.w.run_for(3s);
    s.faults.inflict(
        {.kind = FaultKind::address_change, .host = 0, .other = {}, .router = {}, .amount = 0, .lasts = std::nullopt});
    s.w.run_for(5s);
    if (!s.served()) return "the client is not back";
    if (s.dialler.snapshot().servers.at(0).observed != s.dialler.address()) return "the server sees the old address";
    return broken_rule(s.w);
  });
}

TEST_CASE("a cable that is out for a moment costs no channels") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, true};
    if (!s.w.run_until([&] { return s.served(); }, 10s)) return "no server";
    s.w.run_for(3s);
    s.faults.inflict(
        {.kind = FaultKind::interface_down, .host = 0, .other = {}, .router = {}, .amount = 0, .lasts = 1500ms});
    s.w.run_for(20s);
    if (s.dialler.count<event::ServiceDown>() != 0) return "the client gave its server up";
    return broken_rule(s.w);
  });
}

TEST_CASE("a client whose server still reaches it stays connected when something else of the network changes") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, true};
    if (!s.w.run_until([&] { return s.served(); }, 10s)) return "no server";
    s.w.run_for(3s);
    s.dialler.machine().attach(s.w.net.add_segment("spare"), {IpAddress::v4({10, 9, 8, 7})});
    s.w.run_for(10s);
    if (s.dialler.count<event::ServiceDown>() != 0) return "the client gave its server up";
    return broken_rule(s.w);
  });
}

TEST_CASE("however often the network comes and goes, a server that turns this node away is dialled once in five seconds") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, true};
    s.other.membership.peers.clear();
    s.other.configure();
    s.flap();
    if (const auto dials = s.dialler.count<event::ServiceDown>(); dials > 14) return std::to_string(dials) + " dials in 30 s";
    return broken_rule(s.w);
  });
}

TEST_CASE("another way out by IPv6 is a change of the network, though no address changed") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Scene s{seed, true};
    const auto v6 = [](std::uint8_t last) {
      return IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
    };
    net::Segment& spare = s.w.net.add_segment("spare");
    s.w.net.add_machine("router").attach(spare, {v6(1)});
    net::Interface& plug = s.dialler.machine().attach(spare, {v6(7)});
    if (!s.w.run_until([&] { return s.served(); }, 10s)) return "no server";
    s.w.run_for(3s);
    const auto asked = [&] {
      std::size_t n = 0;
      for (const auto& e : s.dialler.all<event::ServiceRequested>()) n += e.request == event::ServiceRequest::observe;
      return n;
    };
    const auto told = [&] { s.dialler.machine().set_addresses(plug, {v6(7)}); };
    const auto before = asked();
    told();
    s.w.run_for(200ms);
    if (asked() != before) return "nothing had changed";
    s.dialler.gateway_v6 = v6(1);
    told();
    s.w.run_for(200ms);
    if (asked() != before + 1) return "nobody asked whether the server is still reached";
    return broken_rule(s.w);
  });
}
