#include "app/translate.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/digest.hpp"

namespace pw::app {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

peer::AdmissionMode admission(config::Admission mode) {
  switch (mode) {
    case config::Admission::allowlist:
      return peer::AdmissionMode::allowlist;
    case config::Admission::secret:
      return peer::AdmissionMode::secret;
  }
  return peer::AdmissionMode::allowlist;
}

observe::PeerLabel peer_label(config::PeerIdPrivacy privacy) {
  switch (privacy) {
    case config::PeerIdPrivacy::full:
      return observe::PeerLabel::full;
    case config::PeerIdPrivacy::short_:
      return observe::PeerLabel::short_;
    case config::PeerIdPrivacy::hashed:
      return observe::PeerLabel::hashed;
    case config::PeerIdPrivacy::none:
      return observe::PeerLabel::none;
  }
  return observe::PeerLabel::short_;
}

/// One key for two purposes would tie them together, so each gets its own.
Digest derive(ByteView key, std::string_view purpose) { return hmac_sha256(key, as_bytes(purpose)); }

/// Equal on all nodes of a mesh, so that a peer's hashed label agrees on all of them; with a mesh secret no outsider
/// can make it.
Buffer label_key(const config::Config& config) {
  const std::string_view secret = config.secrets.empty() ? std::string_view{} : config.secrets.front();
  const auto key = derive(as_bytes(secret), "peerwatch peer labels: " + config.mesh.name);
  return {key.begin(), key.end()};
}

observe::LogFormat log_format(config::LogFormat format, bool terminal) {
  switch (format) {
    case config::LogFormat::automatic:
      return terminal ? observe::LogFormat::logfmt : observe::LogFormat::json;
    case config::LogFormat::logfmt:
      return observe::LogFormat::logfmt;
    case config::LogFormat::json:
      return observe::LogFormat::json;
    case config::LogFormat::journal:
      return observe::LogFormat::journal;
  }
  return observe::LogFormat::json;
}

/// Both ends of a tie and a restarted peer's old connection are held for moments, so each session may need two.
constexpr std::size_t kConnectionsASession = 2;

}  // namespace

std::string_view version() { return PEERWATCH_VERSION; }

std::string node_name(const config::Config& config) {
  return config.node.name.empty() ? host_name() : config.node.name;
}

std::size_t others(const config::Config& config) {
  const auto& roles = config.node.roles;
  const bool peer = std::ranges::find(roles, config::Role::peer) != roles.end();
  return (peer ? config.peers.size() : 0) + config.bootstraps.size() + config.relays.size();
}

peer::Membership membership(const config::Config& config) {
  peer::Membership out;
  out.mesh = config.mesh.name;
  out.admission = admission(config.mesh.admission);
  for (const std::string& secret : config.secrets) out.secrets.emplace_back(secret.begin(), secret.end());
  out.deny = config.mesh.deny;
  for (const config::Peer& peer : config.peers)
    out.peers.push_back({peer.id, peer.name, peer.always_label, peer.addresses});
  out.max_sessions = config.mesh.max_sessions;
  const auto server = [&out](const config::Server& s) -> event::ServerSpec& {
    for (event::ServerSpec& known : out.servers)
      if (known.id == s.id) {
        for (const HostPort& address : s.addresses)
          if (std::ranges::find(known.addresses, address) == known.addresses.end()) known.addresses.push_back(address);
        if (!known.websocket) known.websocket = s.websocket;
        return known;
      }
    return out.servers.emplace_back(event::ServerSpec{s.id, s.name, false, false, s.addresses, s.websocket});
  };
  for (const config::Server& s : config.bootstraps) server(s).bootstrap = true;
  for (const config::Server& s : config.relays) server(s).relay = true;
  out.serve_anybody = config.bootstrap_server.admission == config::ServiceAdmission::open;
  out.probe.rtt_interval = config.probe.rtt_interval;
  out.probe.datagram_interval = config.probe.datagram_interval;
  out.probe.bandwidth_max_bytes_per_day = config.probe.bandwidth_max_bytes_per_day;
  return out;
}

mesh::NatTerms nat_terms(const config::Config& config) {
  using enum config::Switch;
  const auto mapping = config.nat.port_mapping;
  return {config.nat.enabled, config.nat.stun_servers, mapping == on || (mapping == automatic && !config.peers.empty()),
          config.nat.prediction, config.nat.packet_budget};
}

mesh::Options mesh_options(const config::Config& config, const io::IdentitySeed& seed, WallTime wall) {
  mesh::Options out;
  const auto has = [&](config::Role role) { return std::ranges::find(config.node.roles, role) != config.node.roles.end(); };
  out.services.peer = has(config::Role::peer);
  out.services.server.bootstrap = has(config::Role::bootstrap);
  out.services.server.relay = has(config::Role::relay);
  out.services.stun_alternate = config.bootstrap_server.stun_alternate;
  constexpr double kBitsAByte = 8;
  out.services.server.bytes_per_second = static_cast<double>(config.relay_server.rate_per_client) / kBitsAByte;
  out.services.first_sequence = static_cast<std::uint64_t>(wall.time_since_epoch() / std::chrono::seconds{1});
  const bool serves = out.services.server.bootstrap || out.services.server.relay;
  const std::size_t clients = out.services.server.max_clients + out.services.server.max_greeting;
  const std::size_t sessions = std::max<std::size_t>(config.mesh.max_sessions, config.peers.size());
  out.quic.max_connections =
      std::max(out.quic.max_connections,
               kConnectionsASession * sessions + out.quic.max_half_open + (serves ? clients : 0));
  out.quic.static_secret = derive(seed, "peerwatch stateless resets and tokens");
  out.peer.software = version();
  out.peer.retry_initial = config.recovery.retry_initial;
  out.peer.retry_max = config.recovery.retry_max;
  out.peer.breaker_failures = config.recovery.breaker_failures;
  out.peer.breaker_timeout = config.recovery.breaker_timeout;
  out.peer.retention = config.telemetry.retention_gone_peer;
  return out;
}

observe::MetricsOptions metrics_options(const config::Config& config, const PeerId& self) {
  observe::MetricsOptions out;
  out.version = version();
  out.self = self;
  out.node_name = node_name(config);
  out.mesh = config.mesh.name;
  out.peer_label = peer_label(config.privacy.peer_id);
  out.label_key = label_key(config);
  out.max_labelled_peers = config.telemetry.max_labelled_peers;
  out.max_series = config.telemetry.max_series;
  out.retention = config.telemetry.retention_gone_peer;
  return out;
}

http::Policy http_policy(const config::Config& config) {
  http::Policy out;
  out.tokens = {config.metrics_token, config.admin_token};
  out.host_names = {host_name()};
  if (!config.node.name.empty()) out.host_names.push_back(config.node.name);
  // A scraper may use the full name, which a machine need not know of itself.
  for (const HostPort& address : config.network.advertise) out.host_names.push_back(address.host);
  out.rate_limit = config.http.rate_limit;
  return out;
}

http::NodeInfo node_info(const config::Config& config, const std::vector<SocketAddress>& listening) {
  http::NodeInfo out;
  out.name = node_name(config);
  out.mesh = config.mesh.name;
  out.version = version();
  out.advertise = config.network.advertise;
  if (!out.advertise.empty()) return out;
  for (const SocketAddress& address : listening)
    if (!address.ip.is_unspecified()) out.advertise.push_back({address.ip.to_string(), address.port});
  return out;
}

observe::LogOptions log_options(const config::Config& config, bool terminal) {
  observe::LogOptions out;
  out.format = log_format(config.log.format, terminal);
  if (auto levels = observe::parse_levels(config.log.level)) out.levels = *levels;
  return out;
}

}  // namespace pw::app
