#include "config/validate.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>

#include "config/load.hpp"
#include "config/units.hpp"

namespace pw::config {
namespace {

Place place_of(const Overlay& overlay, std::string_view key) {
  const Raw* raw = overlay.written(key);
  return raw == nullptr ? Place{"built-in defaults"} : raw->place;
}

/// The place of one element of a list, as written.
Place place_of(const Overlay& overlay, std::string_view key, std::size_t index) {
  const Raw* raw = overlay.written(key);
  if (raw == nullptr) return place_of(overlay, key);
  const auto* list = std::get_if<Raw::List>(&raw->value);
  return list != nullptr && index < list->size() ? (*list)[index].place : raw->place;
}

/// A file that only the daemon and its group may know.
std::optional<std::string> read_private(const std::string& path, const Place& place, const char* what,
                                        const Files& files, Problems& problems, std::size_t largest = kLargestSecret) {
  auto file = files.read(path, largest);
  if (!file) {
    problems.add(place, std::string{what} + " " + quoted(path) + " " + file.error().detail);
    return std::nullopt;
  }
  if ((file->mode & 007U) != 0) {
    problems.add(place,
                 std::string{what} + " " + quoted(path) + " may be read or changed by every user of this machine",
                 "chmod o= " + path);
    return std::nullopt;
  }
  return std::move(file->bytes);
}

std::string too_short(const char* what, const std::string& path, std::size_t size) {
  return std::string{what} + " " + quoted(path) + " has " + std::to_string(size) + " bytes, at least " +
         std::to_string(kShortestSecret) + " random ones are needed";
}

void read_token(std::string& token, const std::string& path, std::string_view key, const Overlay& overlay,
                const Files& files, Problems& problems) {
  if (path.empty() || overlay.failed(key)) return;
  const Place place = place_of(overlay, key);
  auto bytes = read_private(path, place, "token file", files, problems);
  if (!bytes) return;
  while (bytes->ends_with('\n') || bytes->ends_with('\r')) bytes->pop_back();
  // RFC 6750 section 2.1 allows less; what matters is that it fits in a header field.
  const bool visible = std::ranges::all_of(*bytes, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!visible)
    problems.add(place,
                 "token file " + quoted(path) + " must hold one line of visible ASCII characters without spaces");
  else if (bytes->size() < kShortestSecret)
    problems.add(place, too_short("token file", path, bytes->size()), "openssl rand -hex 32");
  else
    token = std::move(*bytes);
}

/// What they hold is judged by whoever knows TLS.
void read_tls(Config& config, const Overlay& overlay, const Files& files, Problems& problems) {
  const Config::RelayServer& server = config.relay_server;
  if (!server.tls_certificate.empty() && !overlay.failed("relay_server.tls_certificate")) {
    auto file = files.read(server.tls_certificate, kLargestPem);
    if (file)
      config.tls_certificate = std::move(file->bytes);
    else
      problems.add(place_of(overlay, "relay_server.tls_certificate"),
                   "certificate file " + quoted(server.tls_certificate) + " " + file.error().detail);
  }
  if (server.tls_key.empty() || overlay.failed("relay_server.tls_key")) return;
  const Place place = place_of(overlay, "relay_server.tls_key");
  if (auto key = read_private(server.tls_key, place, "key file", files, problems, kLargestPem))
    config.tls_key = std::move(*key);
}

void check_websocket(const Config& config, const Overlay& overlay, Problems& problems) {
  const Config::RelayServer& server = config.relay_server;
  if (!server.websocket_listen || overlay.failed("relay_server.websocket_listen")) return;
  const Place place = place_of(overlay, "relay_server.websocket_listen");
  const auto& roles = config.node.roles;
  if (std::ranges::find(roles, Role::relay) == roles.end() && std::ranges::find(roles, Role::bootstrap) == roles.end())
    problems.add(place, "relay_server.websocket_listen: needs the role relay or bootstrap in node.roles");
  for (const auto& [key, path] : {std::pair{"relay_server.tls_certificate", &server.tls_certificate},
                                  std::pair{"relay_server.tls_key", &server.tls_key}})
    if (path->empty() && !overlay.failed(key))
      problems.add(place, "relay_server.websocket_listen: needs " + std::string{key},
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=relay "
                   "-keyout key.pem -out certificate.pem");
}

void check_listeners(const Config& config, const Overlay& overlay, Problems& problems) {
  const auto& listen = config.network.listen;
  if (!overlay.failed("network.listen")) {
    if (listen.empty())
      problems.add(place_of(overlay, "network.listen"), "network.listen: needs at least one address",
                   "leave it out for [\"0.0.0.0:9470\", \"[::]:9470\"]");
    for (std::size_t i = 1; i < listen.size(); ++i)
      if (listen[i].ip.family() == listen[0].ip.family())
        problems.add(place_of(overlay, "network.listen", i),
                     "network.listen: at most one address of IPv4 and one of IPv6, so that a NAT sees one mapping");
  }
  const bool closed = config.http.allow_unauthenticated || !config.http.metrics_token_file.empty();
  if (closed || overlay.failed("http.listen") || overlay.failed("http.metrics_token_file") ||
      overlay.failed("http.allow_unauthenticated"))
    return;
  for (std::size_t i = 0; i < config.http.listen.size(); ++i)
    if (!config.http.listen[i].ip.is_loopback())
      problems.add(place_of(overlay, "http.listen", i),
                   "http.listen: " + config.http.listen[i].to_string() +
                       " is beyond loopback, and anybody who reaches it could read everything",
                   "set http.metrics_token_file, or http.allow_unauthenticated = true");
}

template <class Target>
void check_blocks(const std::string& kind, const std::vector<Target>& all, const std::vector<PeerPlace>& places,
                  Problems& problems) {
  std::unordered_map<PeerId, std::size_t> ids;
  std::unordered_map<std::string, std::size_t> names;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (const auto [first, fresh] = ids.emplace(all[i].id, i); !fresh)
      problems.add(places[i].id, kind + ".id: " + all[i].id.to_short() + "… is configured already, at " +
                                     places[first->second].id.to_string());
    if (all[i].name.empty()) continue;
    if (const auto [first, fresh] = names.emplace(all[i].name, i); !fresh)
      problems.add(places[i].name, kind + ".name: " + quoted(all[i].name) + " is another " + kind +
                                       "'s name already, at " + places[first->second].name.to_string());
  }
}

/// RFC 5780 needs four places that are told apart: a socket bound to all addresses would be at both.
void check_stun_alternate(const Config& config, const Overlay& overlay, Problems& problems) {
  if (overlay.failed("bootstrap_server.stun_alternate") || overlay.failed("network.listen")) return;
  const auto& alternates = config.bootstrap_server.stun_alternate;
  for (std::size_t i = 0; i < alternates.size(); ++i) {
    const SocketAddress& other = alternates[i];
    const auto complain = [&](const std::string& what) {
      problems.add(place_of(overlay, "bootstrap_server.stun_alternate", i), "bootstrap_server.stun_alternate: " + what);
    };
    const auto same_family = [&](const SocketAddress& a) { return a.ip.family() == other.ip.family(); };
    if (&*std::ranges::find_if(alternates, same_family) != &other) complain("at most one address of IPv4 and one of IPv6");
    const auto own = std::ranges::find_if(config.network.listen, same_family);
    if (own == config.network.listen.end() || own->ip.is_unspecified())
      complain("network.listen must name one address of its family, not all");
    else if (own->ip == other.ip || own->port == other.port)
      complain("address and port must both be others than " + own->to_string() + " in network.listen");
    else if (other.ip.is_unspecified() || other.port == 0)
      complain(other.to_string() + " is no address that anybody could be told");
  }
}

void check_servers(const Config& config, const Overlay& overlay, Problems& problems) {
  const auto& relay_places = overlay.relay_places();
  const auto dialable = [&](const std::string& kind, const std::vector<Server>& all,
                            const std::vector<PeerPlace>& places) {
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].addresses.empty() && !all[i].websocket)
        problems.add(places[i].block, "a [[" + kind + "]] needs addresses, or a websocket");
  };
  dialable("bootstrap", config.bootstraps, overlay.bootstrap_places());
  dialable("relay", config.relays, relay_places);
  // One server may be both; then it is one connection, and goes by one name.
  for (std::size_t i = 0; i < config.relays.size(); ++i)
    for (const Server& bootstrap : config.bootstraps)
      if (bootstrap.id == config.relays[i].id && bootstrap.name != config.relays[i].name)
        problems.add(relay_places[i].name, "relay.name: the [[bootstrap]] with this id is called " +
                                               quoted(bootstrap.name) + ": give both one name");
}

}  // namespace

void read_secret_files(Config& config, const Overlay& overlay, const Files& files, Problems& problems) {
  for (std::size_t i = 0; i < config.mesh.secret_files.size() && !overlay.failed("mesh.secret_files"); ++i) {
    const std::string& path = config.mesh.secret_files[i];
    const Place place = place_of(overlay, "mesh.secret_files", i);
    auto secret = read_private(path, place, "secret file", files, problems);
    if (!secret) continue;
    if (secret->size() < kShortestSecret)
      problems.add(place, too_short("secret file", path, secret->size()), "head -c 32 /dev/urandom > FILE");
    else
      config.secrets.push_back(std::move(*secret));
  }
  const auto& http = config.http;
  read_token(config.metrics_token, http.metrics_token_file, "http.metrics_token_file", overlay, files, problems);
  read_token(config.admin_token, http.admin_token_file, "http.admin_token_file", overlay, files, problems);
  read_tls(config, overlay, files, problems);
}

void check_peers(const Config& config, const Overlay& overlay, Problems& problems) {
  check_blocks("peer", config.peers, overlay.peer_places(), problems);
}

void check_consistency(const Config& config, const Overlay& overlay, Problems& problems) {
  check_listeners(config, overlay, problems);
  check_peers(config, overlay, problems);
  check_blocks("bootstrap", config.bootstraps, overlay.bootstrap_places(), problems);
  check_blocks("relay", config.relays, overlay.relay_places(), problems);
  check_servers(config, overlay, problems);
  check_stun_alternate(config, overlay, problems);
  check_websocket(config, overlay, problems);
  if (config.mesh.admission == Admission::secret && config.mesh.secret_files.empty() &&
      !overlay.failed("mesh.secret_files") && !overlay.failed("mesh.admission"))
    problems.add(place_of(overlay, "mesh.admission"), "mesh.admission: \"secret\" needs mesh.secret_files");
  const auto& recovery = config.recovery;
  if (recovery.retry_initial > recovery.retry_max && !overlay.failed("recovery.retry_initial") &&
      !overlay.failed("recovery.retry_max")) {
    const bool initial = overlay.written("recovery.retry_initial") != nullptr;
    problems.add(place_of(overlay, initial ? "recovery.retry_initial" : "recovery.retry_max"),
                 "recovery.retry_initial (" + format_duration(recovery.retry_initial) +
                     ") must not be longer than recovery.retry_max (" + format_duration(recovery.retry_max) + ")");
  }
}

}  // namespace pw::config
