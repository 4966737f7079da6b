// Config: everything an operator can set, as read from TOML, environment and command line. Plain values with defaults;
// docs/configuration.md explains each key. app translates it into each room's Options; no other room sees it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/names.hpp"
#include "base/peer_id.hpp"
#include "base/time.hpp"
#include "base/websocket_address.hpp"

namespace pw::config {

using namespace std::string_view_literals;

enum class Admission : std::uint8_t { allowlist, secret };
constexpr auto names(Admission) { return std::array{"allowlist"sv, "secret"sv}; }
enum class Role : std::uint8_t { peer, bootstrap, relay };
constexpr auto names(Role) { return std::array{"peer"sv, "bootstrap"sv, "relay"sv}; }
enum class ServiceAdmission : std::uint8_t { mesh, open };
constexpr auto names(ServiceAdmission) { return std::array{"mesh"sv, "open"sv}; }
enum class PeerIdPrivacy : std::uint8_t { full, short_, hashed, none };
constexpr auto names(PeerIdPrivacy) { return std::array{"full"sv, "short"sv, "hashed"sv, "none"sv}; }
enum class LogFormat : std::uint8_t { automatic, logfmt, json, journal };
constexpr auto names(LogFormat) { return std::array{"auto"sv, "logfmt"sv, "json"sv, "journal"sv}; }

/// "auto": as the daemon finds it best.
enum class Switch : std::uint8_t { automatic, off, on };

inline constexpr std::uint16_t kDefaultPort = 9470;

struct Peer {
  PeerId id;
  std::string name;
  bool always_label = false;
  std::vector<HostPort> addresses;
  bool operator==(const Peer&) const = default;
};

/// A [[bootstrap]] or [[relay]].
struct Server {
  PeerId id;
  std::string name;
  std::vector<HostPort> addresses;
  std::optional<WebSocketAddress> websocket{};
  bool operator==(const Server&) const = default;
};

struct Config {
  struct Node {
    std::string name;  // empty: the host's name
    std::string state_dir = "/var/lib/peerwatch";
    std::vector<Role> roles{Role::peer};  // never empty
    bool operator==(const Node&) const = default;
  } node;
  struct Network {
    std::vector<SocketAddress> listen{{IpAddress::any(Family::v4), kDefaultPort},  // at most one a family, never empty
                                      {IpAddress::any(Family::v6), kDefaultPort}};
    std::vector<HostPort> advertise;  // what export-peer writes
    std::vector<std::string> exclude_interfaces{"docker*", "veth*", "br-*"};  // patterns of fnmatch(3)
    bool operator==(const Network&) const = default;
  } network;
  struct Mesh {
    std::string name = "default";
    Admission admission = Admission::allowlist;
    std::vector<std::string> secret_files;
    std::vector<PeerId> deny;
    std::uint32_t max_sessions = 500;
    bool operator==(const Mesh&) const = default;
  } mesh;
  std::vector<Peer> peers;
  std::vector<Server> bootstraps;
  std::vector<Server> relays;
  struct BootstrapServer {
    ServiceAdmission admission = ServiceAdmission::mesh;
    std::vector<SocketAddress> stun_alternate;  // at most one a family
    bool operator==(const BootstrapServer&) const = default;
  } bootstrap_server;
  struct RelayServer {
    std::uint64_t rate_per_client = 20'000'000;  // bits a second
    std::optional<SocketAddress> websocket_listen;
    std::string tls_certificate;  // files, PEM
    std::string tls_key;
    bool operator==(const RelayServer&) const = default;
  } relay_server;
  struct Discovery {
    std::string file;  // of [[peer]] blocks; empty for none
    std::string dns;   // a name with SRV records; empty for none
    bool operator==(const Discovery&) const = default;
  } discovery;
  struct Nat {
    bool enabled = true;
    std::vector<HostPort> stun_servers;
    Switch port_mapping = Switch::automatic;  // where peers are configured
    bool prediction = true;
    double packet_budget = 500;  // a second
    bool operator==(const Nat&) const = default;
  } nat;
  struct Probe {
    Duration rtt_interval = 5s;
    Duration datagram_interval = 1s;
    std::uint64_t bandwidth_max_bytes_per_day = 1ULL << 30;
    bool operator==(const Probe&) const = default;
  } probe;
  struct Recovery {
    Duration retry_initial = 500ms;
    Duration retry_max = 60s;
    std::uint32_t breaker_failures = 5;  // in a row
    Duration breaker_timeout = 60s;      // the first; it doubles
    bool operator==(const Recovery&) const = default;
  } recovery;
  struct Telemetry {
    std::uint32_t max_labelled_peers = 100;
    std::uint32_t max_series = 50000;
    Duration retention_gone_peer = 10min;
    bool operator==(const Telemetry&) const = default;
  } telemetry;
  struct Privacy {
    PeerIdPrivacy peer_id = PeerIdPrivacy::short_;
    bool operator==(const Privacy&) const = default;
  } privacy;
  struct Log {
    std::string level = "info";  // "info", or with rooms: "info,quic=debug"
    LogFormat format = LogFormat::automatic;
    bool operator==(const Log&) const = default;
  } log;
  struct Http {
    std::vector<SocketAddress> listen{{IpAddress::v4({127, 0, 0, 1}), kDefaultPort}};  // empty: no TCP listener
    std::string control_socket = "/run/peerwatch/control.sock";                        // "" for none
    std::string metrics_token_file;
    std::string admin_token_file;
    double rate_limit = 50;  // requests a second and client
    bool allow_unauthenticated = false;
    bool operator==(const Http&) const = default;
  } http;

  /// What was read from files that the configuration names: secrets and tokens. Redacted wherever it is printed.
  std::vector<std::string> secrets;  // raw bytes, in the order of mesh.secret_files
  std::string metrics_token;
  std::string admin_token;
  std::string tls_certificate;
  std::string tls_key;

  bool operator==(const Config&) const = default;
};

}  // namespace pw::config
