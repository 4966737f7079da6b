// Where UDP is blocked, servers are reached by WebSocket, and peers through them; when UDP leads there again, over it.
#include <catch2/catch_test_macros.hpp>

#include "homes.hpp"
#include "mesh/pipes.hpp"
#include "service/server.hpp"
#include "sim/inflict.hpp"

using namespace pw;
using namespace pw::sim;
using event::PathKind;
using event::Transport;
using net::Place;

namespace {

/// Silence of UDP; TCP, TLS and the upgrade; QUIC's two round trips inside, the greeting, a look-up and a channel; then the
/// handshake of the peers, over the relay. A round trip is 40 ms to where the other end is, as the relay's is in between.
constexpr Duration kConnected = 300ms + 10 * 20ms + 4 * 40ms;

event::ServerSnapshot server_of(const Host& host) {
  const auto servers = host.snapshot().servers;
  return servers.empty() ? event::ServerSnapshot{} : servers.front();
}

bool reached_by(const Host& host, Transport transport) {
  const auto server = server_of(host);
  return server.state == event::ServerState::ready && server.transport == transport;
}

/// When a machine sends its first packet to where WebSockets are served.
class FirstToWebSocket : public net::Observer {
 public:
  FirstToWebSocket(World& world, const Host& from) : world_{world}, from_{from} { world_.net.add_observer(*this); }
  ~FirstToWebSocket() override { world_.net.remove_observer(*this); }
  void sent(Instant at, const net::Machine& from, const net::Packet& packet) override {
    if (&from == &from_.machine() && packet.protocol == net::Protocol::tcp && packet.destination.port == Pipes::kPort && !first)
      first = at;
  }
  std::optional<Instant> first;

 private:
  World& world_;
  const Host& from_;
};

std::size_t lost_sessions(const TwoHomes& h) {
  return h.a->count<event::SessionEnded>() + h.b->count<event::SessionEnded>();
}

std::uint64_t dropped_from_pipes(const Host& host) {
  std::uint64_t n = 0;
  for (const auto& e : host.all<event::QueueDropped>()) n += e.queue == event::Queue::pipes ? e.count : 0;
  return n;
}

}  // namespace

TEST_CASE("one end without UDP is connected with one behind any NAT within a second, through the relay by WebSocket") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    const auto other = static_cast<Place>(seed % (net::kPlaces - 1));  // all but no UDP
    TwoHomes h{seed, {Place::no_udp}, {other}};
    h.w.start_all();
    const Instant began = h.w.now();
    const std::string where = std::string{name(other)} + ": ";
    if (!h.w.run_until([&] { return h.up(); }, 10s)) return where + "not connected";
    if (h.w.now() - began > kConnected)
      return where + "connected after " + std::to_string(to_milliseconds(h.w.now() - began)) + " ms";
    h.w.run_for(20s);
    if (!h.relayed(PathKind::relay_websocket, PathKind::relay_quic)) return where + "each end does not tell its own way";
    if (!reached_by(*h.a, Transport::websocket) || !reached_by(*h.b, Transport::quic)) return where + "by another way";
    if (server_of(*h.a).observed) return where + "a TCP port is taken for where UDP comes from";
    return broken_rule(h.w);
  });
}

TEST_CASE("two ends without UDP are connected within a second") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::no_udp}, {Place::no_udp}};
    h.w.start_all();
    const Instant began = h.w.now();
    if (!h.w.run_until([&] { return h.up(); }, 10s)) return "not connected";
    if (h.w.now() - began > kConnected)
      return "connected after " + std::to_string(to_milliseconds(h.w.now() - began)) + " ms";
    h.w.run_for(5min);
    if (!h.relayed(PathKind::relay_websocket, PathKind::relay_websocket)) return "it does not stay there";
    if (lost_sessions(h) != 0) return "the session ended";
    return broken_rule(h.w);
  });
}

TEST_CASE("a WebSocket is opened once UDP was silent for 300 ms, and where it answers by then, never") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::no_udp}, {static_cast<Place>(seed % (net::kPlaces - 1))}};
    FirstToWebSocket blocked{h.w, *h.a}, free{h.w, *h.b};
    h.w.start_all();
    const Instant began = h.w.now();
    h.w.run_for(20s);
    if (!blocked.first) return "it is not opened where UDP is blocked";
    const Duration after = *blocked.first - began;
    if (after < 300ms || after > 310ms) return "it is opened after " + std::to_string(to_milliseconds(after)) + " ms";
    if (free.first) return "it is opened where UDP answers";
    return broken_rule(h.w);
  });
}

TEST_CASE("a server that UDP leads to, slowly, is not left for its WebSocket") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::apdf}, {Place::open}};
    h.w.both_ways(*h.a, h.server, {.delay = seed % 2 == 0 ? 120ms : 400ms});
    h.w.start_all();
    if (!h.w.run_until([&] { return reached_by(*h.a, Transport::quic); }, 5s)) return "not connected over UDP";
    h.w.run_for(10s);
    const auto up = h.a->all<event::ServiceUp>();
    if (up.size() != 1 || up.front().transport != Transport::quic) return "it came there by another way";
    return broken_rule(h.w);
  });
}

TEST_CASE("a server that answered by UDP and is heard no more is left for its WebSocket three seconds after the dial") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::apdf}, {Place::open}};
    h.server.options.quic.retry_threshold = 0;  // so that it answers before its handshake's own flight
    FirstToWebSocket stalled{h.w, *h.a};
    h.w.start_all();
    const Instant began = h.w.now();
    h.w.run_for(30ms);  // a round trip and a half
    h.routers.front()->firewall().block_udp(true);
    if (!h.w.run_until([&] { return reached_by(*h.a, Transport::websocket); }, 5s)) return "it is not reached by WebSocket";
    const Duration after = *stalled.first - began;
    if (after < 3s || after > 3010ms) return "it is opened after " + std::to_string(to_milliseconds(after)) + " ms";
    return broken_rule(h.w);
  });
}

TEST_CASE("when UDP is let through again the pipe is left, and no channel or session is lost for that") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::no_udp}, {seed % 2 == 0 ? Place::no_udp : Place::random}};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.up(); }, 10s)) return "not connected";
    h.w.run_for(Duration{static_cast<std::int64_t>(seed % 60) * 1s});
    h.routers.front()->firewall().block_udp(false);
    const Instant again = h.w.now();
    if (!h.w.run_until([&] { return reached_by(*h.a, Transport::quic); }, 3min)) return "it stays with the pipe";
    h.w.run_for(5s);
    const auto& told = h.a->events;
    const bool broke = std::ranges::any_of(told, [&](const event::Record& r) {
      if (r.at < again) return false;
      const auto* down = std::get_if<event::ServiceDown>(&r.event);
      const auto* health = std::get_if<event::PathHealthChanged>(&r.event);
      return (down != nullptr && down->was_up) || (health != nullptr && health->address.relayed() &&
                                                   health->to == event::PathHealth::dead);
    });
    if (broke) return "something broke when it moved";
    if (lost_sessions(h) != 0) return "the session ended";
    const auto kinds = h.a->peer(*h.b).paths;
    if (std::ranges::any_of(kinds, [](const auto& p) { return p.kind == PathKind::relay_websocket; }))
      return "a path is still told as one by WebSocket";
    if (h.a->count<event::ServiceMoved>() != 1) return "the move is not told";
    if (h.server.snapshot().serving->stats.clients != std::array<std::size_t, 2>{seed % 2 == 0 ? 1U : 2U, seed % 2 == 0 ? 1U : 0U})
      return "the relay counts its clients by another transport";
    return broken_rule(h.w);
  });
}

TEST_CASE("a pipe goes with the client that leaves it, though its end never arrives, and is not counted as refused") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::no_udp}, {Place::random}};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.up(); }, 10s)) return "not connected";
    h.w.run_for(Duration{static_cast<std::int64_t>(seed % 20) * 1s});
    if (h.server.pipes_of_others() != 1) return "no pipe";
    h.routers.front()->firewall().block_udp(false);
    if (!h.w.run_until([&] { return reached_by(*h.a, Transport::quic); }, 3min)) return "it stays with the pipe";
    h.routers.front()->firewall().block_tcp(true);
    if (!h.w.run_until([&] { return h.server.pipes_of_others() == 0; }, service::ServerOptions{}.former_timeout + 1s))
      return "the server keeps a pipe that nobody comes by";
    h.w.run_for(2 * mesh::Pipes::kPatience);
    if (h.server.count<event::PipeRefused>() != 0) return "it was refused";
    return broken_rule(h.w);
  });
}

TEST_CASE("a pipe that a NAT forgot is found dead and opened again, and the session lives on") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    // One that gives the same port again lets the stream go on, as if nothing had been.
    TwoHomes h{seed, {.place = Place::no_udp, .ports = net::PortAllocation::random}, {Place::apdf}};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.up(); }, 10s)) return "not connected";
    h.w.run_for(20s);
    Faults faults{h.w};
    faults.inflict({.kind = FaultKind::nat_reboot, .host = 1, .other = {}, .router = h.routers[0], .amount = 0, .lasts = 1s});
    if (!h.w.run_until([&] { return !h.relayed(PathKind::relay_websocket, PathKind::relay_quic); }, 20s))
      return "nobody notices";
    if (!h.w.run_until([&] { return h.relayed(PathKind::relay_websocket, PathKind::relay_quic); }, 40s))
      return "it does not come back";
    if (lost_sessions(h) != 0) return "the session ended";
    return broken_rule(h.w);
  });
}

TEST_CASE("a relay that restarts is come to again by WebSocket") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::no_udp}, {Place::no_udp}};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.up(); }, 10s)) return "not connected";
    h.w.run_for(5s);
    h.server.kill();
    h.w.run_for(10s);
    h.server.start();
    if (!h.w.run_until([&] { return h.relayed(PathKind::relay_websocket, PathKind::relay_websocket); }, 90s))
      return "not connected again";
    return broken_rule(h.w);
  });
}

TEST_CASE("a pipe that becomes too slow for what is sent loses packets, says so, and stays") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::no_udp}, {Place::no_udp}};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.up(); }, 10s)) return "not connected";
    h.w.run_for(5s);
    h.a->command(event::MeasureBandwidth{h.b->id(), 50'000'000, 10s});
    h.w.run_for(3s);
    h.w.both_ways(*h.a, h.server, {.delay = 10ms, .rate = 64'000, .queue = 32'000});
    h.w.run_for(40s);
    if (dropped_from_pipes(*h.a) == 0) return "nothing was dropped: the test tests nothing";
    if (std::ranges::any_of(h.a->all<event::ServiceDown>(), [](const auto& e) { return e.was_up; })) return "the relay was lost";
    if (lost_sessions(h) != 0) return "the session ended";
    if (!h.relayed(PathKind::relay_websocket, PathKind::relay_websocket)) return "it is not there afterwards";
    return broken_rule(h.w);
  });
}
