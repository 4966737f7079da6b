// What nodes do for one another, as events, snapshots and metrics tell it: this node as the client of bootstraps and
// relays, and as one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/peer_id.hpp"
#include "base/time.hpp"
#include "base/websocket_address.hpp"
#include "event/vocabulary.hpp"

namespace pw::event {

/// What a client asks of a server: bootstrap_requests_total{request}.
enum class ServiceRequest : std::uint8_t { enrol, lookup, coordinate, observe };
constexpr auto names(ServiceRequest) { return std::array{"register"sv, "lookup"sv, "coordinate"sv, "observe"sv}; }

enum class RequestResult : std::uint8_t { success, refused, timeout, lost };
constexpr auto names(RequestResult) { return std::array{"success"sv, "refused"sv, "timeout"sv, "lost"sv}; }

/// Why a relay did not forward a packet: p2p_relay_dropped_packets_total{reason}.
enum class RelayDrop : std::uint8_t { malformed, unknown_channel, rate, queue, pair_limit, gone };
constexpr auto names(RelayDrop) {
  return std::array{"malformed"sv, "unknown_channel"sv, "rate"sv, "queue"sv, "pair_limit"sv, "gone"sv};
}

/// What became of a stranger's STUN datagram: stun_requests_total{result}.
enum class StunResult : std::uint8_t {
  success,
  unsupported,   // answered with 420: an attribute that must be understood and is not, or is refused
  malformed,     // not STUN, or not well-formed
  rate_limited,  // of its network, or of all
  ignored        // no Binding request, or one for somebody else: with a user name or integrity, it checks a path
};
constexpr auto names(StunResult) {
  return std::array{"success"sv, "unsupported"sv, "malformed"sv, "rate_limited"sv, "ignored"sv};
}

/// What carries the packets between a server and its client: UDP, or a WebSocket over TLS where UDP is blocked.
enum class Transport : std::uint8_t { quic, websocket };
constexpr auto names(Transport) { return std::array{"quic"sv, "websocket"sv}; }

/// A bootstrap, a relay, or both, as configuration describes it.
struct ServerSpec {
  PeerId id;
  std::string name;  // empty if none
  bool bootstrap = false;
  bool relay = false;
  std::vector<HostPort> addresses;
  std::optional<WebSocketAddress> websocket{};
  bool operator==(const ServerSpec&) const = default;
};

/// The client's connection to a server.
enum class ServerState : std::uint8_t { waiting, dialling, greeting, ready };
constexpr auto names(ServerState) { return std::array{"waiting"sv, "dialling"sv, "greeting"sv, "ready"sv}; }

struct ServerError {
  Instant at{};
  ErrorType type = ErrorType::unknown;
  std::string detail;
};

/// One of this node's bootstraps and relays. What was not measured is absent.
struct ServerSnapshot {
  ServerSpec spec;
  ServerState state = ServerState::waiting;
  Transport transport = Transport::quic;  // of the connection; means nothing without one
  std::optional<Instant> up_since;
  bool grants_bootstrap = false;  // what it lets this node have; nothing unless ready
  bool grants_carriage = false;   // a capped amount of packets, without being a relay
  bool grants_relay = false;
  bool home = false;              // this node's record names it
  std::optional<Duration> rtt;    // QUIC's smoothed one
  std::optional<SocketAddress> observed;  // of this node, as it saw it last
  std::size_t channels = 0;       // with peers, through it
  unsigned failures = 0;          // attempts in a row that failed
  std::optional<ServerError> last_error;
  std::array<std::array<std::uint64_t, 4>, 4> requests{};  // by ServiceRequest, RequestResult; since it was configured
  std::array<std::optional<Duration>, 4> response{};       // by ServiceRequest: how long the last answer took
};

/// Counts since the start, as a server.
struct ServingStats {
  struct Served {
    std::uint64_t success = 0;
    std::uint64_t refused = 0;
  };
  std::array<Served, 4> requests{};        // by ServiceRequest
  std::array<std::uint64_t, 6> dropped{};  // packets, by RelayDrop
  std::array<std::uint64_t, 5> stun{};     // by StunResult
  std::uint64_t forwarded_packets = 0;
  std::uint64_t forwarded_bytes = 0;       // of packets, without their channel
  std::uint64_t clients_refused = 0;
  std::uint64_t unknown_messages = 0;
  std::size_t entries = 0;                 // of the registry
  std::array<std::size_t, 2> clients{};    // admitted, by Transport
  std::size_t channels = 0;
  std::size_t all_clients() const { return clients[0] + clients[1]; }
  const Served& of(ServiceRequest r) const { return requests[static_cast<std::size_t>(r)]; }
  std::uint64_t of(RelayDrop r) const { return dropped[static_cast<std::size_t>(r)]; }
  std::uint64_t of(StunResult r) const { return stun[static_cast<std::size_t>(r)]; }
};

/// This node as a server.
struct ServingSnapshot {
  bool bootstrap = false;
  bool relay = false;
  ServingStats stats;
};

}  // namespace pw::event
