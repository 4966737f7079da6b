// A daemon without a network: a snapshot with peers in every state, and commands that are answered as the test says.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "http/backend.hpp"
#include "observe/metrics.hpp"
#include "observe/recent.hpp"

namespace pw::http::test {

inline PeerId peer_id(std::uint64_t n) {
  std::array<std::uint8_t, PeerId::kSize> key{};
  Rng{n}.fill(key);
  return PeerId{key};
}

inline constexpr Instant kNow{1000s};
inline constexpr WallTime kWall{1'763'720'522s + 123ms};  // 2025-11-21T10:22:02.123Z

inline event::PeerSnapshot connected_peer(std::uint64_t n, std::string name) {
  event::PeerSnapshot peer;
  peer.id = peer_id(n);
  peer.name = std::move(name);
  peer.software = "0.1.0";
  peer.addresses = {HostPort{"192.0.2.7", 9470}};
  peer.state = event::SessionState::connected;
  peer.state_since = kNow - 60s;
  peer.connected_since = kNow - 60s;
  peer.dialled = true;
  peer.path = event::PathKind::direct_v4;
  event::PathSnapshot path;
  path.kind = event::PathKind::direct_v4;
  path.address = {IpAddress::v4({192, 0, 2, 1}), SocketAddress{IpAddress::v4({192, 0, 2, 7}), 9470}};
  path.in_use = true;
  path.rtt = 1500us;
  path.rtt_min = 1ms;
  path.since = kNow - 60s;
  path.last_proof = kNow - 500ms;
  peer.paths = {path};
  peer.last_seen = kNow - 500ms;
  peer.echo_rtt = 2ms;
  peer.echo_rtt_smoothed = 2500us;
  peer.jitter = 100us;
  peer.loss_forward = {60, 3};
  peer.bandwidth_outbound = 1200.5;
  peer.estimate_inbound = event::BandwidthEstimate{kNow - 10s, 1e6};
  peer.traffic[0][1] = {12345, 67};
  peer.cwnd = 14720;
  return peer;
}

inline event::PeerSnapshot failed_peer(std::uint64_t n, std::string name) {
  event::PeerSnapshot peer;
  peer.id = peer_id(n);
  peer.name = std::move(name);
  peer.state = event::SessionState::failed;
  peer.state_since = kNow - 5s;
  peer.failures = 3;
  peer.next_dial = kNow + 4s;
  peer.breaker = {event::BreakerState::open, 6, kNow + 4s};
  peer.last_error = event::LastError{kNow - 5s, event::ErrorType::timeout, "nobody answered at \xff"};
  return peer;
}

inline event::ServerSnapshot up_server(std::uint64_t n, std::string name) {
  event::ServerSnapshot s;
  s.spec = {peer_id(n), std::move(name), true, true, {HostPort{"relay.example", 9470}}};
  s.state = event::ServerState::ready;
  s.up_since = kNow - 30s;
  s.grants_bootstrap = s.grants_relay = s.home = true;
  s.rtt = 20ms;
  s.observed = SocketAddress{IpAddress::v4({198, 51, 100, 1}), 40000};
  s.requests[1] = {3, 1, 0, 0};
  s.response[1] = 21ms;
  return s;
}

inline event::ServerSnapshot down_server(std::uint64_t n) {
  event::ServerSnapshot s;
  s.spec = {peer_id(n), {}, false, true, {}};
  s.failures = 2;
  s.last_error = event::ServerError{kNow - 1s, event::ErrorType::dns, "no such host"};
  return s;
}

class FakeBackend : public Backend {
 public:
  FakeBackend() {
    auto node = std::make_shared<event::NodeSnapshot>();
    node->at = kNow;
    node->self = peer_id(0);
    node->started = kNow - 100s;
    node->max_sessions = 500;
    node->connections = 1;
    node->peers = {connected_peer(1, "node-b"), failed_peer(2, "node-c"), failed_peer(3, "twin"),
                   failed_peer(4, "twin")};
    event::PathSnapshot relayed;
    relayed.kind = event::PathKind::relay_quic;
    relayed.address.via = Via{1};
    relayed.relay = peer_id(8);
    node->peers[0].paths.push_back(relayed);
    node->servers = {up_server(8, "relay-1"), down_server(9)};
    node->serving = event::ServingSnapshot{true, true, {}};
    node->serving->stats.entries = 4;
    node->serving->stats.forwarded_bytes = 1200;
    event::NatBehaviour nat;
    nat.udp = event::Tested::yes;
    nat.mapped = SocketAddress{IpAddress::v4({192, 0, 2, 77}), 40000};
    nat.mapping = event::NatMapping::endpoint_independent;
    nat.lifetime = 90s;
    nat.not_tested = {"filtering: no server has another address"};
    nat.measured = kNow - 12s;
    node->nat = {true,
                 {{"stun.example", 3478}},
                 {{IpAddress::v4({192, 0, 2, 8}), 9470}},
                 {"b.example: no such host"},
                 {{Family::v4, event::NatState::measured, nat}, {Family::v6, event::NatState::no_address, {}}},
                 event::PortMappingSnapshot{}};
    node->nat.candidates = {{event::CandidateKind::server_reflexive, *nat.mapped, 7}};
    node->nat.mapping->gateway = IpAddress::v4({192, 0, 2, 254});
    node->nat.mapping->protocols[0] = {event::MappingState::unverified, {}};
    node->nat.mapping->protocols[1].detail = "the gateway does not answer";
    node->nat.mapping->mapped = event::MappedPort{
        event::MappingProtocol::pcp, SocketAddress{IpAddress::v4({192, 0, 2, 77}), 9470}, kNow + 1h, false,
        "not tried from outside yet"};
    options.self = node->self;
    options.version = "0.1.0";
    metrics = std::make_unique<observe::Metrics>(options);
    picture = {node, metrics->snapshot(*node, kWall), kWall};
  }
  NodeInfo info() const override { return {"node-a", "default", "0.1.0", {HostPort{"192.0.2.1", 9470}}}; }
  void view(Duration max_age, std::function<void(View)> done) override {
    oldest_wanted = max_age;
    deaf ? unanswered.push_back(std::move(done)) : done(picture);
  }
  void command(event::Command command, std::function<void(event::Answer)> done) override {
    commands.push_back(command);
    if (!deaf) done(answer);
  }
  void reload(std::function<void(ReloadOutcome)> done) override { done(outcome); }
  bool healthy() const override { return healthy_now; }
  Readiness readiness() const override { return ready; }
  std::string config_json() const override { return "{\"node\":{\"name\":\"node-a\"}}\n"; }
  void stream_lost(std::uint64_t events) override { lost += events; }

  /// The value of a sample, as a scrape shows it; -1 if there is none.
  double sample(const std::string& name_and_labels) {
    const std::string text = "\n" + render(*metrics->snapshot(*picture.node, kWall), observe::Exposition::text);
    const auto at = text.find("\n" + name_and_labels + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name_and_labels.size() + 2));
  }
  double rejected(const std::string& reason) {
    return std::max(0.0, sample("peerwatch_http_rejected_total{reason=\"" + reason + "\"}"));
  }

  observe::MetricsOptions options;
  std::unique_ptr<observe::Metrics> metrics;
  View picture;
  event::Answer answer = event::Done{};
  ReloadOutcome outcome{true, {}, {"network.listen"}};
  Readiness ready;
  bool healthy_now = true;
  bool deaf = false;  // never answers, and keeps the question
  std::vector<std::function<void(View)>> unanswered;
  std::uint64_t lost = 0;
  Duration oldest_wanted{};  // of the last view
  std::vector<event::Command> commands;
};

inline void add_events(observe::RecentEvents& recent, std::uint64_t from, std::uint64_t count) {
  for (std::uint64_t seq = from; seq < from + count; ++seq)
    recent.add({seq, kWall + seq * 1s,
                event::StateChanged{peer_id(1 + seq % 2), event::SessionState::disconnected,
                                    event::SessionState::connecting}});
}

}  // namespace pw::http::test
