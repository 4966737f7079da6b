#include "config/keys.hpp"

#include <limits>
#include <utility>

namespace pw::config {
namespace {

constexpr std::size_t kLongestPath = 1024;
constexpr std::size_t kLongestSocketPath = 107;  // sockaddr_un.sun_path, with its terminating zero
constexpr std::size_t kMostAddresses = 16;       // of one peer: a dial tries each, so more only delay it
constexpr std::size_t kMostListeners = 8;
constexpr std::size_t kMostStunServers = 8;
constexpr std::size_t kMostPatterns = 64;
constexpr std::size_t kMostSecrets = 4;     // current and previous, and room for a slow rotation
constexpr std::size_t kMostDenied = 10000;  // as many as there may be peers

template <class Target, class T, class Field>
Key<Target> make(std::string name, Effect effect, Codec<T> codec, std::string about, Field field) {
  Key<Target> key{std::move(name), codec.type, codec.range, effect, std::move(about), codec.shape, {}, {}};
  key.set = [read = codec.read, name = key.name, field](const Raw& raw, Target& target, Problems& problems) {
    auto value = read(raw, name, problems);
    if (value) field(target) = std::move(*value);
    return value.has_value();
  };
  key.get = [show = codec.show, field](const Target& target) { return show(field(target)); };
  return key;
}

/// A key of a section: where it is in Config is written as two member pointers.
template <class Section, class T>
Key<Config> key(std::string name, Section Config::*section, T Section::*field, Codec<T> codec, Effect effect,
                std::string about) {
  return make<Config>(
      std::move(name), effect, std::move(codec), std::move(about),
      [ section, field ](auto& c) -> auto& { return c.*section.*field; });
}

template <class T>
Key<Peer> key(std::string name, T Peer::*field, Codec<T> codec, std::string about) {
  return make<Peer>(
      std::move(name), Effect::reload, std::move(codec),
      std::move(about), [field](auto& p) -> auto& { return p.*field; });
}

template <class T>
Key<Server> key(std::string name, T Server::*field, Codec<T> codec, std::string about) {
  return make<Server>(
      std::move(name), Effect::reload, std::move(codec),
      std::move(about), [field](auto& s) -> auto& { return s.*field; });
}

std::vector<Key<Config>> make_config_keys() {
  using C = Config;
  constexpr auto reload = Effect::reload;
  constexpr auto restart = Effect::restart;
  return {
      key("node.name", &C::node, &C::Node::name, label(), restart,
          "this node's name for people; empty: the host's name"),
      key("node.state_dir", &C::node, &C::Node::state_dir, path(kLongestPath, false), restart,
          "directory of this node's identity key"),
      key("node.roles", &C::node, &C::Node::roles, some_of<Role>(), restart,
          "what this node is: a peer, a bootstrap where peers find one another, a relay that carries their packets"),

      key("network.listen", &C::network, &C::Network::listen, socket_addresses(2), restart,
          "UDP addresses for QUIC, at most one of IPv4 and one of IPv6"),
      key("network.advertise", &C::network, &C::Network::advertise, host_ports(kMostAddresses), restart,
          "addresses that others reach this node at; export-peer writes them"),
      key("network.exclude_interfaces", &C::network, &C::Network::exclude_interfaces, patterns(kMostPatterns), restart,
          "interfaces, by pattern, whose addresses are of no use outside this machine"),

      key("mesh.name", &C::mesh, &C::Mesh::name, required_label(), reload,
          "nodes of another mesh are refused, whatever their key"),
      key("mesh.admission", &C::mesh, &C::Mesh::admission, one_of<Admission>(), reload,
          "who may connect: the configured peers, or every node that proves a mesh secret"),
      key("mesh.secret_files", &C::mesh, &C::Mesh::secret_files, paths(kMostSecrets), reload,
          "files of mesh secrets, the current first, then previous ones; each has at least 32 random bytes"),
      key("mesh.deny", &C::mesh, &C::Mesh::deny, peer_ids(kMostDenied), reload, "peer ids that are never admitted"),
      key("mesh.max_sessions", &C::mesh, &C::Mesh::max_sessions, integer(1, 10000), reload,
          "sessions held at once; configured peers are always admitted"),

      key("bootstrap_server.admission", &C::bootstrap_server, &C::BootstrapServer::admission, one_of<ServiceAdmission>(),
          reload, "who may use this node as a bootstrap or relay: whoever may be a peer, or everybody"),
      key("bootstrap_server.stun_alternate", &C::bootstrap_server, &C::BootstrapServer::stun_alternate,
          socket_addresses(2), restart, "a second address and port of each family, for STUN that tells filtering (RFC 5780)"),

      key("relay_server.rate_per_client", &C::relay_server, &C::RelayServer::rate_per_client,
          bit_rate(64'000, 10'000'000'000), restart, "what one client may send to others through this node"),
      key("relay_server.websocket_listen", &C::relay_server, &C::RelayServer::websocket_listen, optional_socket_address(),
          restart, "TCP address for clients without UDP, who come by WebSocket over TLS; empty: none"),
      key("relay_server.tls_certificate", &C::relay_server, &C::RelayServer::tls_certificate, path(kLongestPath, true),
          reload, "file of its certificate and chain, PEM"),
      key("relay_server.tls_key", &C::relay_server, &C::RelayServer::tls_key, path(kLongestPath, true), reload,
          "file of its private key, PEM"),

      key("discovery.file", &C::discovery, &C::Discovery::file, path(kLongestPath, true), reload,
          "a TOML file of [[peer]] blocks, which is watched: peers come and go with it"),
      key("discovery.dns", &C::discovery, &C::Discovery::dns, domain_name(), reload,
          "a name with SRV records, whose targets have a TXT record \"id=PEERID\": peers come and go with them"),

      key("nat.enabled", &C::nat, &C::Nat::enabled, boolean(), reload,
          "whether this node finds out what the NATs in front of it do, and peers are told its addresses"),
      key("nat.stun_servers", &C::nat, &C::Nat::stun_servers, host_ports(kMostStunServers), reload,
          "servers that answer STUN, besides the bootstraps"),
      key("nat.port_mapping", &C::nat, &C::Nat::port_mapping, automatic_switch(), reload,
          "whether the gateway is asked to map this node's port; auto: where peers are configured"),
      key("nat.prediction", &C::nat, &C::Nat::prediction, boolean(), reload,
          "whether ports of NATs that give others to each remote are predicted and searched for"),
      key("nat.packet_budget", &C::nat, &C::Nat::packet_budget, rate(10, 100000), reload,
          "packets to addresses that have not answered, of all looks for direct paths together"),

      key("probe.rtt_interval", &C::probe, &C::Probe::rtt_interval, duration(100ms, 1h), reload,
          "time between two health-check echoes to a peer"),
      key("probe.datagram_interval", &C::probe, &C::Probe::datagram_interval, duration(100ms, 1min), reload,
          "time between two probes of a path that packets go out on"),
      key("probe.bandwidth_max_bytes_per_day", &C::probe, &C::Probe::bandwidth_max_bytes_per_day, size(0, 1ULL << 40),
          reload, "what active bandwidth measurements may use in a day; 0B allows none"),

      key("recovery.retry_initial", &C::recovery, &C::Recovery::retry_initial, duration(10ms, 1h), restart,
          "longest wait after a first failed dial; it doubles with every further failure"),
      key("recovery.retry_max", &C::recovery, &C::Recovery::retry_max, duration(1s, 24h), restart,
          "longest wait between two dials"),
      key("recovery.breaker_failures", &C::recovery, &C::Recovery::breaker_failures, integer(1, 1000), restart,
          "dials in a row that failed by the peer's own fault, after which it is left alone for a while"),
      key("recovery.breaker_timeout", &C::recovery, &C::Recovery::breaker_timeout, duration(1s, 10min), restart,
          "how long a peer is left alone at first; it doubles up to 10 minutes while the peer stays dead"),

      key("telemetry.max_labelled_peers", &C::telemetry, &C::Telemetry::max_labelled_peers, integer(0, 10000), restart,
          "peers with metric series of their own; the others are summed up"),
      key("telemetry.max_series", &C::telemetry, &C::Telemetry::max_series, integer(1000, 10'000'000), restart,
          "metric series in all; where more would be needed, fewer peers have series of their own"),
      key("telemetry.retention_gone_peer", &C::telemetry, &C::Telemetry::retention_gone_peer, duration(10s, 168h),
          restart, "how long a peer that is gone keeps its series"),

      key("privacy.peer_id", &C::privacy, &C::Privacy::peer_id, one_of<PeerIdPrivacy>(), restart,
          "how peer ids appear in metrics"),

      key("log.level", &C::log, &C::Log::level, log_level(), reload,
          "least level that is logged, in all and of single rooms: \"info,quic=debug\""),
      key("log.format", &C::log, &C::Log::format, one_of<LogFormat>(), restart,
          "auto: logfmt on a terminal, JSON otherwise"),

      key("http.listen", &C::http, &C::Http::listen, socket_addresses(kMostListeners), restart,
          "TCP addresses for metrics and the API; an empty list for none"),
      key("http.control_socket", &C::http, &C::Http::control_socket, path(kLongestSocketPath, true), restart,
          "Unix socket of the peerwatch command; empty for none"),
      key("http.metrics_token_file", &C::http, &C::Http::metrics_token_file, path(kLongestPath, true), reload,
          "file of the token that reading over TCP requires"),
      key("http.admin_token_file", &C::http, &C::Http::admin_token_file, path(kLongestPath, true), reload,
          "file of the token that also allows control over TCP"),
      key("http.rate_limit", &C::http, &C::Http::rate_limit, rate(0.1, 100000), restart, "requests of one client"),
      key("http.allow_unauthenticated", &C::http, &C::Http::allow_unauthenticated, boolean(), restart,
          "allows a listener beyond loopback without a token"),
  };
}

std::vector<Key<Peer>> make_peer_keys() {
  return {
      key("peer.id", &Peer::id, peer_id(), "the peer's identity, as \"peerwatchd --identity\" prints it there"),
      key("peer.name", &Peer::name, label(), "a name for people, known on this node only"),
      key("peer.always_label", &Peer::always_label, boolean(), "keeps its own metric series whatever the limit is"),
      key("peer.addresses", &Peer::addresses, host_ports(kMostAddresses),
          "where it can be dialled; without any it has to dial this node"),
  };
}

std::vector<Key<Server>> make_server_keys(const std::string& section) {
  return {
      key(section + ".id", &Server::id, peer_id(),
          "the server's identity, as \"peerwatchd --identity\" prints it there"),
      key(section + ".name", &Server::name, label(), "a name for people and metrics, known on this node only"),
      key(section + ".addresses", &Server::addresses, host_ports(kMostAddresses), "where it can be dialled"),
      key(section + ".websocket", &Server::websocket, optional_websocket(),
          "its WebSocket, for when UDP does not lead to it"),
  };
}

}  // namespace

const std::vector<Key<Server>>& bootstrap_keys() {
  static const std::vector<Key<Server>> keys = make_server_keys("bootstrap");
  return keys;
}

const std::vector<Key<Server>>& relay_keys() {
  static const std::vector<Key<Server>> keys = make_server_keys("relay");
  return keys;
}

const std::vector<Key<Config>>& config_keys() {
  static const std::vector<Key<Config>> keys = make_config_keys();
  return keys;
}

const std::vector<Key<Peer>>& peer_keys() {
  static const std::vector<Key<Peer>> keys = make_peer_keys();
  return keys;
}

}  // namespace pw::config
