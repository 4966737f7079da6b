// What the core is, at one instant: plain values that leave the network thread whole and are never changed afterwards.
// A measurement that was not made is an empty optional, never 0.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/peer_id.hpp"
#include "base/time.hpp"
#include "event/event.hpp"

namespace pw::event {

struct PathSnapshot {
  PathKind kind = PathKind::none;
  PathAddress address;
  PathHealth health = PathHealth::proved;
  bool in_use = false;  // packets go out on it; while it is in doubt, for a moment also on the best standby
  PathSize size = PathSize::unknown;
  std::optional<Duration> rtt;      // smoothed (RFC 9002 section 5.3), by probes
  std::optional<Duration> rtt_min;
  std::optional<PeerId> relay;      // the server that carries it
  Instant since{};                  // when it was first proved
  Instant last_proof{};             // when a probe over it was last answered
};

struct LossWindow {  // last 60 s
  std::uint32_t expected = 0;
  std::uint32_t lost = 0;
};

struct LastError {
  Instant at{};
  ErrorType type = ErrorType::unknown;
  std::string detail;
};

struct BreakerSnapshot {
  BreakerState state = BreakerState::closed;
  unsigned failures = 0;                // dials in a row that failed by the peer's own fault
  std::optional<Instant> next_attempt;  // while it is open: when one dial is let through
};

struct BandwidthEstimate {
  Instant at{};
  double bytes_per_second = 0;
};

struct PeerSnapshot : PeerTotals {
  PeerId id;
  std::string name;              // locally configured; empty if none
  std::string software;          // as its Hello said, if it matches [0-9A-Za-z.+~-]{1,32}; else empty
  DiscoveryMethod method = DiscoveryMethod::configured;
  bool always_label = false;
  bool held = false;             // an operator disconnected it
  std::vector<HostPort> addresses;

  SessionState state = SessionState::disconnected;
  Instant state_since{};
  std::optional<Instant> connected_since;
  bool dialled = false;          // the session's connection was dialled from here
  PathKind path = PathKind::none;  // carrying traffic now: none also while the only path is dead
  std::vector<PathSnapshot> paths;
  std::optional<Instant> last_seen;  // last proof that the peer is there

  std::optional<Duration> echo_rtt;  // last; measurements vanish with the session
  std::optional<Duration> echo_rtt_smoothed;
  std::optional<Duration> jitter;    // RFC 3550 section 6.4.1, of inbound probes
  LossWindow loss_forward;
  LossWindow loss_return;
  std::optional<double> bandwidth_inbound;   // bytes a second, 60 s rolling
  std::optional<double> bandwidth_outbound;
  std::optional<BandwidthEstimate> estimate_inbound;   // last active measurement
  std::optional<BandwidthEstimate> estimate_outbound;

  std::optional<std::uint64_t> cwnd;
  std::optional<std::uint64_t> bytes_in_flight;

  BreakerSnapshot breaker;
  unsigned failures = 0;  // dials in a row that failed
  std::optional<Instant> next_dial;
  std::optional<LastError> last_error;
};

struct NatFamily {
  Family family = Family::v4;
  NatState state = NatState::off;
  std::optional<NatBehaviour> behaviour{};  // when it was measured last; the state says whether that goes on
};

struct MappedPort {
  MappingProtocol protocol = MappingProtocol::pcp;
  SocketAddress external;
  Instant expires{};  // unless it is renewed, which happens before
  bool verified = false;  // reached from outside; else it is the gateway's word, and peers are not told
  std::string doubt;      // for people: why not
};

/// The node's own IPv4 port at its gateway.
struct PortMappingSnapshot {
  struct Protocol {
    MappingState state = MappingState::unavailable;
    std::string detail;  // for people: why there is no mapping by it
  };
  std::optional<IpAddress> gateway;
  std::array<Protocol, enum_count<MappingProtocol>()> protocols;  // by MappingProtocol
  std::optional<MappedPort> mapped;
};

/// An address that peers are told of as this node's.
struct OwnCandidate {
  CandidateKind kind = CandidateKind::host;
  SocketAddress address;
  std::uint32_t priority = 0;  // RFC 8445 section 5.1.2
};

struct NatSnapshot {
  bool enabled = false;
  std::vector<HostPort> servers;        // that are asked, as configured
  std::vector<SocketAddress> bootstraps;  // that are asked besides
  std::vector<std::string> unresolved;  // for people: of them, and why
  std::vector<NatFamily> families;      // that this node has a socket of
  std::optional<PortMappingSnapshot> mapping{};  // nothing: none is wanted
  std::vector<OwnCandidate> candidates{};        // the highest priority first; none while peers are told nothing
};

struct NodeSnapshot {
  Instant at{};
  PeerId self;
  InstanceId instance{};
  Instant started{};
  bool stopping = false;
  std::size_t connections = 0;  // QUIC connections held, half-open ones included
  std::size_t half_open = 0;
  std::size_t further_sockets = 0;  // of sessions: paths that go by them, rounds that look for some
  std::size_t max_sessions = 0;
  bool reached_once = false;    // a peer was connected at least once since start, or none is configured
  NatSnapshot nat;
  std::vector<PeerSnapshot> peers;  // ordered by id
  bool peer_role = true;
  std::vector<ServerSnapshot> servers;  // as configured
  std::optional<ServingSnapshot> serving;
};

using SnapshotPtr = std::shared_ptr<const NodeSnapshot>;

}  // namespace pw::event
