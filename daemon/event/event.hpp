// The telemetry schema. The core says what happened only through these; metrics, log, recent events and the live
// stream are folds over them. Flat structs, no behaviour. Anything here may be built on a hot path: no formatting.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/address.hpp"
#include "base/peer_id.hpp"
#include "base/time.hpp"
#include "event/nat.hpp"
#include "event/service.hpp"
#include "event/traffic.hpp"
#include "event/vocabulary.hpp"

namespace pw::event {

/// Random at each start of a daemon: tells a restarted peer from a reconnected one.
using InstanceId = std::array<std::uint8_t, 16>;

// ---- who is there
struct PeerAdded { PeerId peer; DiscoveryMethod method; };
/// `totals`: the last word on them.
struct PeerRemoved { PeerId peer; PeerTotals totals{}; };
struct DiscoveryFailed { PeerId peer; DiscoveryMethod method; std::string host; std::string detail; };

// ---- sessions
struct StateChanged { PeerId peer; SessionState from; SessionState to; };
struct DialStarted { PeerId peer; unsigned addresses; unsigned failures_before; };
/// One per dial, when it ends. `error` and `detail` have meaning when it failed.
struct DialEnded { PeerId peer; DialResult result; ErrorType error; std::string detail; Duration took; Duration retry_in; };
/// Of the peer's circuit breaker. `failures`: dials in a row that failed by the peer's own fault; `opens_for`: until one dial
/// is let through, if it opened.
struct BreakerChanged { PeerId peer; BreakerState from; BreakerState to; unsigned failures; Duration opens_for{}; };
/// Every failure of a connection, dialled or accepted, before or after it was up. `peer` if it is known by then.
struct ConnectionFailed { std::optional<PeerId> peer; SocketAddress remote; ErrorType error; std::string detail; };
/// `by_peer`: the other side refused us; otherwise we refused it.
struct AdmissionRefused { PeerId peer; SocketAddress remote; AdmissionRefusal reason; bool by_peer; };
/// A session came up. `since_first_attempt`: from the first dial or contact after it was last up.
struct SessionEstablished { PeerId peer; bool dialled; Duration since_first_attempt; PathKind path; PathAddress address; };
struct SessionEnded { PeerId peer; CloseReason reason; Duration lasted; std::string detail; };
/// `restarted`: the key is known, the instance is new.
struct PeerIdentified { PeerId peer; InstanceId instance; std::string software; bool restarted; };
/// Two daemons run with one identity: instances alternate.
struct DuplicateIdentity { PeerId peer; SocketAddress remote; };

// ---- paths
struct PathHealthChanged { PeerId peer; PathKind path; PathAddress address; PathHealth from; PathHealth to; Duration silence; };
/// A check of ours over a path that was not known was answered, after `rtt`; or a newer connection of the same session was
/// made over it. The first path of a session is SessionEstablished's.
struct PathProved { PeerId peer; PathKind path; PathAddress address; std::optional<Duration> rtt; };
/// The local address of a path is gone from this machine: it goes on from whichever the kernel takes, and is probed at once.
struct PathMoved { PeerId peer; PathKind path; PathAddress from; PathAddress to; };
struct PathForgotten { PeerId peer; PathKind path; PathAddress address; PathEnd why; };
/// Whether large packets pass it: told when that changes.
struct PathSizeJudged { PeerId peer; PathKind path; PathAddress address; PathSize size; };
/// A connectivity check that named this peer's connection.
struct CheckRefused { PeerId peer; CheckRefusal reason; SocketAddress from; };
/// Addresses that this peer listed as its own and that nothing is sent to for that; `first`: one of them, if there was one.
struct CandidatesRefused { PeerId peer; CandidateRefusal reason; SocketAddress first; unsigned count; };
/// This end needs a direct path to the peer, and tries to come to one together with it, or knows that it can't.
struct TraversalStarted { PeerId peer; TraversalTrigger trigger; TraversalMethod method; Family family; NatType local_nat; NatType remote_nat; };
/// One for each that was started. `took`: none where nothing was tried. `method`: what succeeded, else what was tried.
/// `phases`: how long each took that there was, by TraversalPhase.
struct TraversalEnded {
  PeerId peer;
  TraversalResult result;
  TraversalMethod method;
  TraversalFailure failure;
  std::string detail;
  std::optional<Duration> took;
  Family family;
  NatType local_nat;
  NatType remote_nat;
  std::array<std::optional<Duration>, enum_count<TraversalPhase>()> phases{};
};
/// Packets go out over another path now; `address`: where it leads. To none: no path is alive.
struct PathChanged { PeerId peer; PathKind from; PathKind to; PathChangeReason reason; PathAddress address{}; };
/// The path `from` failed, and packets are known to arrive over `to`: `took` is from the last proof of the old one (where only
/// large packets are lost: from the first of them that was not answered) to the first of the new one since packets go there.
struct PathFailedOver { PeerId peer; PathKind from; PathKind to; Duration took; };

// ---- bootstraps and relays
/// A server of ours let us in. `took`: from the dial.
struct ServiceUp { PeerId server; Transport transport; std::optional<SocketAddress> observed; Duration took; };
/// Another connection leads there: UDP after a pipe, or one beside a connection whose way back was lost. Channels went over, as far as
/// the server still had them.
struct ServiceMoved { PeerId server; Transport to; };
/// It was lost (`was_up`), or an attempt to reach it failed. `bootstrap`: whatever else it is.
struct ServiceDown { PeerId server; bool was_up; ErrorType error; std::string detail; bool bootstrap = false; };
/// It sees this node at another address than before.
struct AddressObserved { PeerId server; SocketAddress address; };
/// This node closed a channel that another had opened to it there; `peer` is the server's word.
struct InboundChannelClosed { PeerId server; PeerId peer; ChannelClosure reason; };
/// One for every request to a server that was answered or given up.
struct ServiceRequested { PeerId server; ServiceRequest request; RequestResult result; Duration took; };

// ---- measurements
/// Echo over the bidirectional stream.
struct EchoMeasured { PeerId peer; PathKind path; Duration rtt; bool suspect; };
/// A probe over one path; the other side's holding time is taken out.
struct ProbeMeasured { PeerId peer; PathKind path; Duration rtt; bool suspect; PathAddress address{}; };
/// Increments, of the path in use: of `expected` probes whose fate is now known `lost` were lost; `suspect` were left out of both.
struct ProbesAccounted { PeerId peer; ProbeDirection direction; std::uint32_t expected; std::uint32_t lost; std::uint32_t suspect; };
/// The smoothed RTT of a live path, every 10 s.
struct PathLatency { PeerId peer; PathKind path; Duration rtt; };
/// An active measurement; outbound is judged by the receiver's report.
struct BandwidthMeasured { PeerId peer; Direction direction; std::uint64_t bytes; Duration elapsed; double bytes_per_second; };

// ---- this node
struct PacketRejected { RejectReason reason; SocketAddress from; };
/// Somebody who came by WebSocket was not let in, or was thrown out.
struct PipeRefused { PipeRefusal reason; SocketAddress from; };
struct QueueDropped { Queue queue; std::uint64_t count; };
/// So often a budget held something back.
struct BudgetDenied { Budget budget; std::uint64_t count; };
/// A timer of the core fired late: samples taken meanwhile are suspect.
struct NodeLate { Duration lag; };
/// The machine was suspended, or the process stopped.
struct ClockJumped { Duration by; };
/// Addresses of this machine came and went; for people: "192.0.2.7 (eth0), …". Those of excluded interfaces are not told.
struct NetworkChanged { std::string added; std::string removed; };
/// What NATs do to one family was measured, and is not what was told before.
struct NatMeasured { NatBehaviour behaviour; };
struct NodeStarted { PeerId self; InstanceId instance; };
struct NodeStopping {};
/// The configuration was read again; `detail` says what is wrong, or which keys need a restart.
struct ConfigReloaded { bool success; std::string detail; };
/// Something of this machine does not work (disk, socket, resolver): said once until it works again.
struct Trouble { std::string what; std::string detail; };

using Event = std::variant<PeerAdded, PeerRemoved, DiscoveryFailed, StateChanged, DialStarted, DialEnded, ConnectionFailed,
                           AdmissionRefused, SessionEstablished, SessionEnded, PeerIdentified, DuplicateIdentity,
                           PathHealthChanged, PathChanged, EchoMeasured, ProbeMeasured, ProbesAccounted, PathLatency,
                           BandwidthMeasured, PacketRejected, QueueDropped, NodeLate, ClockJumped, NodeStarted,
                           NodeStopping, ConfigReloaded, Trouble, PathProved, PathForgotten, PathSizeJudged,
                           CheckRefused, ServiceUp, ServiceDown, AddressObserved, ServiceRequested,
                           PathMoved, NetworkChanged, NatMeasured, CandidatesRefused,
                           TraversalStarted, TraversalEnded, PathFailedOver, BudgetDenied, ServiceMoved,
                           PipeRefused, InboundChannelClosed, BreakerChanged>;

/// In the order of the variant; snake_case, as `type` in JSON and in ?type=.
inline constexpr std::array kEventNames = {
    "peer_added"sv,          "peer_removed"sv,       "discovery_failed"sv,    "state_changed"sv,
    "dial_started"sv,        "dial_ended"sv,         "connection_failed"sv,   "admission_refused"sv,
    "session_established"sv, "session_ended"sv,      "peer_identified"sv,     "duplicate_identity"sv,
    "path_health_changed"sv, "path_changed"sv,       "echo_measured"sv,       "probe_measured"sv,
    "probes_accounted"sv,    "path_latency"sv,       "bandwidth_measured"sv,  "packet_rejected"sv,
    "queue_dropped"sv,       "node_late"sv,          "clock_jumped"sv,        "node_started"sv,
    "node_stopping"sv,       "config_reloaded"sv,    "trouble"sv,
    "path_proved"sv,         "path_forgotten"sv,     "path_size_judged"sv,    "check_refused"sv,
    "service_up"sv,          "service_down"sv,       "address_observed"sv,    "service_requested"sv,
    "path_moved"sv,          "network_changed"sv,    "nat_measured"sv,
    "candidates_refused"sv,  "traversal_started"sv,  "traversal_ended"sv,
    "path_failed_over"sv,    "budget_denied"sv,      "service_moved"sv,
    "pipe_refused"sv,        "inbound_channel_closed"sv, "breaker_changed"sv};
static_assert(kEventNames.size() == std::variant_size_v<Event>);

inline std::string_view name_of(const Event& e) { return kEventNames[e.index()]; }

/// An event with its time. Sequence numbers are the observer's.
struct Record {
  Instant at;
  Event event;
};

/// The peer that an event is about, if it is about one.
std::optional<PeerId> peer_of(const Event& e);

}  // namespace pw::event
