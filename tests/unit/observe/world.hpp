// A small world to measure: peers by number, their snapshots, and one event of every kind.
#pragma once

#include <string>
#include <vector>

#include "event/snapshot.hpp"
#include "observe/metrics.hpp"

namespace pw::test {

inline constexpr WallTime kWall{Duration{1'763'720'490'123'000'000}};

/// Differs from others in its first bytes, so that short labels differ.
inline PeerId peer(unsigned n) {
  std::array<std::uint8_t, PeerId::kSize> key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>((n * 2654435761U) >> (i % 4 * 8) ^ i);
  return PeerId{key};
}

inline SocketAddress address(std::uint8_t last = 7) { return {IpAddress::v4({192, 0, 2, last}), 9470}; }

/// Connected and measured in every respect.
inline event::PeerSnapshot connected(unsigned n, Instant now) {
  event::PeerSnapshot p;
  p.id = peer(n);
  p.name = "node-" + std::to_string(n);
  p.software = "0.1.0";
  p.state = event::SessionState::connected;
  p.connected_since = now;
  p.path = event::PathKind::direct_v4;
  p.last_seen = now - 250ms;
  p.jitter = 1250us;
  p.loss_forward = {60, 3};
  p.loss_return = {60, 0};
  p.bandwidth_inbound = 1500.4;
  p.bandwidth_outbound = 900;
  p.estimate_inbound = event::BandwidthEstimate{now, 1.25e6};
  p.estimate_outbound = event::BandwidthEstimate{now, 2.5e6};
  p.traffic[0][0] = {1000 + n, 10};
  p.traffic[0][1] = {2000 + n, 20};
  p.quic_packets = {10, 20};
  p.quic_datagrams_lost = 4;
  p.cwnd = 12000;
  p.bytes_in_flight = 0;
  return p;
}

/// A home router's.
inline event::NatBehaviour nat_behaviour() {
  event::NatBehaviour b;
  b.udp = event::Tested::yes;
  b.mapped = SocketAddress{IpAddress::v4({192, 0, 2, 77}), 40000};
  b.mapping = event::NatMapping::endpoint_independent;
  b.filtering = event::NatFiltering::address_and_port_dependent;
  b.hairpin = event::Tested::no;
  b.allocation = event::PortAllocation::preserving;
  b.lifetime = 90s;
  b.expires = 150s;
  b.servers = 2;
  b.confidence = 0.9999;
  b.not_tested = {"filtering by one of two servers"};
  return b;
}

inline event::NodeSnapshot node_at(Instant now, std::vector<event::PeerSnapshot> peers = {}) {
  event::NodeSnapshot s;
  s.at = now;
  s.self = peer(0);
  s.nat.enabled = true;
  s.nat.servers = {{"stun.example", 3478}};
  s.nat.families = {{Family::v4, event::NatState::measured, nat_behaviour()}};
  s.nat.mapping.emplace();
  s.nat.mapping->protocols[0].state = event::MappingState::unverified;
  s.peers = std::move(peers);
  return s;
}

/// A server that is bootstrap and relay, measured in every respect.
inline event::ServerSnapshot server(unsigned n) {
  event::ServerSnapshot s;
  s.spec = {peer(n), "server-" + std::to_string(n), true, true, {}};
  s.state = event::ServerState::ready;
  s.grants_bootstrap = s.grants_relay = true;
  s.rtt = 20ms;
  s.requests[1][0] = 5;
  return s;
}

inline observe::MetricsOptions options() {
  observe::MetricsOptions o;
  o.version = "0.1.0";
  o.self = peer(0);
  o.node_name = "node-a";
  o.mesh = "default";
  return o;
}

/// One event of each type, in the order of the variant.
inline std::vector<event::Event> one_of_each(const PeerId& p) {
  using namespace event;
  return {PeerAdded{p, DiscoveryMethod::configured},
          PeerRemoved{p},
          DiscoveryFailed{p, DiscoveryMethod::configured, "node-b.example", "no such host"},
          StateChanged{p, SessionState::connecting, SessionState::connected},
          DialStarted{p, 2, 1},
          DialEnded{p, DialResult::failed, ErrorType::timeout, "no answer", 3s, 500ms},
          ConnectionFailed{p, address(), ErrorType::tls, "bad certificate"},
          AdmissionRefused{p, address(), AdmissionRefusal::wrong_secret, true},
          SessionEstablished{p, true, 12ms, PathKind::direct_v4, {{}, address()}},
          SessionEnded{p, CloseReason::timeout, 90s, "no live path"},
          PeerIdentified{p, InstanceId{1, 2, 3}, "0.1.0", true},
          DuplicateIdentity{p, address()},
          PathHealthChanged{p, PathKind::direct_v4, {{}, address()}, PathHealth::suspect, PathHealth::dead, 4s},
          PathChanged{p, PathKind::direct_v4, PathKind::direct_v6, PathChangeReason::better_rtt},
          EchoMeasured{p, PathKind::direct_v4, 1500us, false},
          ProbeMeasured{p, PathKind::direct_v4, 1200us, false},
          ProbesAccounted{p, ProbeDirection::forward, 10, 2, 1},
          PathLatency{p, PathKind::direct_v6, 900us},
          BandwidthMeasured{p, Direction::outbound, 1000000, 1s, 1e6},
          PacketRejected{RejectReason::malformed, address()},
          QueueDropped{Queue::transmit, 5},
          NodeLate{150ms},
          ClockJumped{90s},
          NodeStarted{p, InstanceId{9}},
          NodeStopping{},
          ConfigReloaded{false, "a.toml:3:1: unknown key"},
          Trouble{"cannot write the state directory", "No space left on device"},
          PathProved{p, PathKind::direct_v4, {{}, address()}, 20ms},
          PathForgotten{p, PathKind::direct_v4, {{}, address()}, PathEnd::dead},
          PathSizeJudged{p, PathKind::direct_v4, {{}, address()}, PathSize::small},
          CheckRefused{p, CheckRefusal::wrong_key, address()},
          ServiceUp{p, Transport::quic, address(), 40ms},
          ServiceDown{p, true, ErrorType::timeout, "no answer"},
          AddressObserved{p, address(8)},
          ServiceRequested{p, ServiceRequest::lookup, RequestResult::success, 21ms},
          PathMoved{p, PathKind::direct_v4, {IpAddress::v4({192, 0, 2, 1}), address()}, {{}, address()}},
          NetworkChanged{"192.0.2.2 (eth0)", "192.0.2.1 (eth0)"},
          NatMeasured{nat_behaviour()},
          CandidatesRefused{p, CandidateRefusal::loopback, address(), 2},
          TraversalStarted{p, TraversalTrigger::initial, TraversalMethod::punch, Family::v4, NatType::port_restricted, NatType::full_cone},
          TraversalEnded{p, TraversalResult::failure, TraversalMethod::punch, TraversalFailure::timeout, "", 5s, Family::v4,
                         NatType::port_restricted, NatType::full_cone},
          PathFailedOver{p, PathKind::direct_v4, PathKind::relay_quic, 240ms},
          BudgetDenied{Budget::packets, 5},
          ServiceMoved{p, Transport::quic},
          PipeRefused{PipeRefusal::full, address()},
          InboundChannelClosed{p, p, ChannelClosure::unused},
          BreakerChanged{p, BreakerState::closed, BreakerState::open, 5, 60s}};
}

}  // namespace pw::test
