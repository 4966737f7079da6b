// The closed sets that events, snapshots, metrics, JSON and log lines share. A name here is an interface
// (docs/metrics.md): add at the end, never rename.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/names.hpp"

namespace pw::event {

using namespace std::string_view_literals;

enum class SessionState : std::uint8_t { disconnected, connecting, connected, disconnecting, failed };
constexpr auto names(SessionState) {
  return std::array{"disconnected"sv, "connecting"sv, "connected"sv, "disconnecting"sv, "failed"sv};
}

enum class DialResult : std::uint8_t { success, failed, cancelled };
constexpr auto names(DialResult) { return std::array{"success"sv, "failed"sv, "cancelled"sv}; }

/// Of a peer's circuit breaker: p2p_circuit_breakers{state}.
enum class BreakerState : std::uint8_t {
  closed,    // it is dialled whenever that is due
  open,      // it failed too often in a row: nobody dials it until a time-out is over
  half_open  // one dial is under way, and shows whether it is back
};
constexpr auto names(BreakerState) { return std::array{"closed"sv, "open"sv, "half_open"sv}; }

/// What recovery is told of a failure: p2p_failures_total{category}. event/failure.hpp says which failure is what.
enum class FailureCategory : std::uint8_t {
  network_connectivity,
  nat_traversal_timeout,
  bootstrap_unavailable,
  hole_punching,
  path_validation,
  resource_exhaustion
};
constexpr auto names(FailureCategory) {
  return std::array{"network_connectivity"sv, "nat_traversal_timeout"sv, "bootstrap_unavailable"sv,
                    "hole_punching"sv,        "path_validation"sv,       "resource_exhaustion"sv};
}

/// What refused something for the time being: peerwatch_budget_denied_total{budget}.
enum class Budget : std::uint8_t {
  packets,  // nat.packet_budget
  flows,    // sockets, each of which is a flow through routers
  checks    // of one peer's addresses
};
constexpr auto names(Budget) { return std::array{"packets"sv, "flows"sv, "checks"sv}; }

/// Of a connection that failed: p2p_connection_errors_total{error_type}.
enum class ErrorType : std::uint8_t {
  timeout,   // nobody answered in time, or a path stayed dead
  refused,   // the other side answered that it won't (not for reasons of admission)
  reset,     // the other side has no such connection (any more): stateless reset
  tls,       // the handshake's cryptography failed, or another key answered
  dns,       // none of the peer's names resolved
  protocol,  // the other side broke QUIC or our protocol
  admission,
  path_validation,
  resource_exhausted,  // a limit of ours
  unknown
};
constexpr auto names(ErrorType) {
  return std::array{"timeout"sv,   "refused"sv,         "reset"sv,              "tls"sv,    "dns"sv, "protocol"sv,
                    "admission"sv, "path_validation"sv, "resource_exhausted"sv, "unknown"sv};
}

/// Why a session that was connected ended: p2p_connection_duration_seconds{close_reason}.
enum class CloseReason : std::uint8_t {
  peer_shutdown,   // the peer's daemon stops
  local_shutdown,  // this daemon stops
  operator_request,
  peer_request,  // the peer's operator, or its configuration, ended it
  peer_removed,  // no longer configured here, or no longer admitted
  replaced,      // the peer restarted
  timeout,       // no live path for too long
  reset,
  protocol,
  error
};
constexpr auto names(CloseReason) {
  return std::array{"peer_shutdown"sv, "local_shutdown"sv, "operator"sv, "peer_request"sv, "peer_removed"sv,
                    "replaced"sv,      "timeout"sv,        "reset"sv,    "protocol"sv,     "error"sv};
}

enum class AdmissionRefusal : std::uint8_t {
  not_allowlisted,
  denied,        // on mesh.deny
  wrong_secret,  // a proof that no current or previous secret explains
  no_proof,      // none came within 5 s
  wrong_mesh,
  session_limit,       // mesh.max_sessions
  held,                // an operator disconnected this peer
  duplicate_identity,  // an older instance of the same key came back: two daemons share one identity
  self                 // our own key
};
constexpr auto names(AdmissionRefusal) {
  return std::array{"not_allowlisted"sv, "denied"sv, "wrong_secret"sv,       "no_proof"sv, "wrong_mesh"sv,
                    "session_limit"sv,   "held"sv,   "duplicate_identity"sv, "self"sv};
}

/// Of a path: one enum everywhere.
enum class PathKind : std::uint8_t { direct_v4, direct_v6, relay_quic, relay_websocket, none };
constexpr auto names(PathKind) {
  return std::array{"direct_v4"sv, "direct_v6"sv, "relay_quic"sv, "relay_websocket"sv, "none"sv};
}

enum class PathHealth : std::uint8_t {
  proved,   // answered its last probe
  suspect,  // a probe stayed unanswered; probed at PTO pace
  dead      // 8 probes unanswered at that pace
};
constexpr auto names(PathHealth) { return std::array{"proved"sv, "suspect"sv, "dead"sv}; }

/// Whether packets of full size (1200 bytes of UDP payload) pass a path both ways. Some networks lose only large ones.
enum class PathSize : std::uint8_t { unknown, small, full };
constexpr auto names(PathSize) { return std::array{"unknown"sv, "small"sv, "full"sv}; }

/// Why nothing is known of a path, or of an address that was checked, any more.
enum class PathEnd : std::uint8_t {
  unanswered,  // never proved: none of its checks was answered
  dead,        // for too long
  evicted,     // others are better, and there is a limit
  closed       // its channel or socket is gone
};
constexpr auto names(PathEnd) { return std::array{"unanswered"sv, "dead"sv, "evicted"sv, "closed"sv}; }

/// Why a connectivity check was refused. What is refused changes nothing.
enum class CheckRefusal : std::uint8_t {
  not_a_check,          // another method or class, an attribute that nobody here understands, an error response
  too_small,            // a request that its answer would not fit into
  unknown_user,         // a request for another connection, or thrown back at its sender
  no_integrity,         // no MESSAGE-INTEGRITY-SHA256
  wrong_key,            // forged, or changed on its way
  replayed,             // seen before, or too old to tell
  unknown_transaction,  // an answer to nothing that is under way
  wrong_source,         // an answer from elsewhere than where the question went (RFC 8445 section 7.2.5.2.1)
  forbidden_address,    // nobody may make us send there
  rate_limited,         // authentic; there were too many
  table_full
};
constexpr auto names(CheckRefusal) {
  return std::array{"not_a_check"sv,       "too_small"sv,    "unknown_user"sv,        "no_integrity"sv,
                    "wrong_key"sv,         "replayed"sv,     "unknown_transaction"sv, "wrong_source"sv,
                    "forbidden_address"sv, "rate_limited"sv, "table_full"sv};
}

enum class PathChangeReason : std::uint8_t {
  upgraded,
  better_rtt,
  path_lost,
  network_change,
  relay_closed,
  operator_request
};
constexpr auto names(PathChangeReason) {
  return std::array{"upgraded"sv, "better_rtt"sv, "path_lost"sv, "network_change"sv, "relay_closed"sv, "operator"sv};
}

enum class Direction : std::uint8_t { inbound, outbound };
constexpr auto names(Direction) { return std::array{"inbound"sv, "outbound"sv}; }

/// Of a probe: forward is away from this node.
enum class ProbeDirection : std::uint8_t { forward, back };
constexpr auto names(ProbeDirection) { return std::array{"forward"sv, "return"sv}; }

enum class DiscoveryMethod : std::uint8_t { configured, file, dns, mdns, bootstrap, manual, inbound };
constexpr auto names(DiscoveryMethod) {
  return std::array{"static"sv, "file"sv, "dns"sv, "mdns"sv, "bootstrap"sv, "manual"sv, "inbound"sv};
}

/// Why a datagram on the UDP port was dropped: peerwatch_packets_rejected_total{reason}.
enum class RejectReason : std::uint8_t {
  empty,
  oversized,           // larger than any packet of ours may be
  unknown_protocol,    // not STUN, not QUIC (RFC 9443)
  stun,                // malformed STUN, or of nobody's here
  malformed,           // QUIC that can't be parsed
  unknown_connection,  // a short-header packet for no connection of ours
  unsupported_version,
  initial_too_small,  // RFC 9000 section 14.1
  invalid_token,
  rate_limited,     // this source's new connections
  half_open_limit,  // everybody's
  wrong_source      // a handshake packet from elsewhere than the handshake's path
};
constexpr auto names(RejectReason) {
  return std::array{"empty"sv,
                    "oversized"sv,
                    "unknown_protocol"sv,
                    "stun"sv,
                    "malformed"sv,
                    "unknown_connection"sv,
                    "unsupported_version"sv,
                    "initial_too_small"sv,
                    "invalid_token"sv,
                    "rate_limited"sv,
                    "half_open_limit"sv,
                    "wrong_source"sv};
}

/// Why a client's WebSocket was refused or ended here: p2p_relay_pipes_refused_total{reason}.
enum class PipeRefusal : std::uint8_t {
  full,          // as many as this node takes
  source_limit,  // as many as it takes of one address
  timeout,       // TLS and the upgrade took too long
  tls,           // no TLS, or none that we speak
  not_websocket, // HTTP, but no upgrade that we take; or no HTTP
  wrong_path,    // of another place than the relay's
  protocol,      // RFC 6455 was broken: a frame without mask, say
  text,          // a message that is not binary
  too_large,     // a message that is larger than a packet
  rate_limited,  // so many handshakes a second, of everybody
  unused         // nobody came by it whom this node serves
};
constexpr auto names(PipeRefusal) {
  return std::array{"full"sv,       "source_limit"sv, "timeout"sv, "tls"sv,       "not_websocket"sv,
                    "wrong_path"sv, "protocol"sv,     "text"sv,    "too_large"sv, "rate_limited"sv,
                    "unused"sv};
}

/// Why this node closed a channel through a relay that another had opened to it: p2p_inbound_channels_closed_total{reason}.
enum class ChannelClosure : std::uint8_t {
  full,            // as many as this node has at one server, its own included
  peer_limit,      // as many as one peer has there
  stranger_limit,  // as many as all have together whose key is not admitted
  unused           // no connection came of it in time, or what came of it is over
};
constexpr auto names(ChannelClosure) {
  return std::array{"full"sv, "peer_limit"sv, "stranger_limit"sv, "unused"sv};
}

/// Bounded queues that drop: peerwatch_queue_dropped_total{queue}.
enum class Queue : std::uint8_t { transmit, datagrams, commands, log, stream, pipes };
constexpr auto names(Queue) {
  return std::array{"transmit"sv, "datagrams"sv, "commands"sv, "log"sv, "stream"sv, "pipes"sv};
}

}  // namespace pw::event
