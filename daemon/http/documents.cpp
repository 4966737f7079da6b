#include "http/documents.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "http/json_parts.hpp"

namespace pw::http {
namespace {

using event::PeerSnapshot;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json{};
}

/// An address without a port was never bound: "any" lets the kernel choose.
Json local_address(const IpAddress& ip) { return ip.is_unspecified() ? Json{} : Json(ip.to_string()); }

Json paths_of(const Clock& clock, const PeerSnapshot& peer) {
  Json paths = Json::array();
  for (const event::PathSnapshot& path : peer.paths)
    paths.push_back({{"kind", name(path.kind)},
                     {"local", local_address(path.address.local)},
                     {"remote", path.address.relayed() ? Json{} : Json(path.address.remote.to_string())},
                     {"relay", path.relay ? Json(path.relay->to_string()) : Json{}},
                     {"health", name(path.health)},
                     {"in_use", path.in_use},
                     {"size", name(path.size)},
                     {"rtt_ms", milliseconds(path.rtt)},
                     {"rtt_min_ms", milliseconds(path.rtt_min)},
                     {"since", clock.time(path.since)},
                     {"age_seconds", clock.age(path.since)},
                     {"last_proof", clock.time(path.last_proof)},
                     {"last_proof_seconds", clock.age(path.last_proof)}});
  return paths;
}

Json loss_of(const event::LossWindow& window) {
  const Json ratio = window.expected == 0 ? Json{} : Json(static_cast<double>(window.lost) / window.expected);
  return {{"expected", window.expected}, {"lost", window.lost}, {"ratio", ratio}};
}

Json estimate_of(const Clock& clock, const std::optional<event::BandwidthEstimate>& estimate) {
  if (!estimate) return {};
  return {{"bytes_per_second", estimate->bytes_per_second},
          {"at", clock.time(estimate->at)},
          {"age_seconds", clock.age(estimate->at)}};
}

Json traffic_of(const event::TrafficByPath& traffic) {
  Json json = Json::object();
  for (std::size_t path = 0; path < traffic.size(); ++path)
    for (std::size_t direction = 0; direction < traffic[path].size(); ++direction) {
      const event::Traffic& sum = traffic[path][direction];
      json[std::string{name(static_cast<event::PathKind>(path))}][std::string{
          name(static_cast<event::Direction>(direction))}] = {{"bytes", sum.bytes}, {"packets", sum.packets}};
    }
  return json;
}

Json breaker_of(const Clock& clock, const event::BreakerSnapshot& breaker) {
  return {{"state", name(breaker.state)},
          {"failures", breaker.failures},
          {"next_attempt", clock.time(breaker.next_attempt)},
          {"next_attempt_seconds", clock.until(breaker.next_attempt)}};
}

Json peer_json(const Clock& clock, const PeerSnapshot& peer) {
  const bool connected = peer.state == event::SessionState::connected;
  Json json{{"id", peer.id.to_string()}, {"short_id", peer.id.to_short()}, {"name", peer.name}};
  json["software"] = peer.software.empty() ? Json{} : Json(peer.software);
  json["method"] = name(peer.method);
  json["always_label"] = peer.always_label;
  json["held"] = peer.held;
  json["addresses"] = addresses_of(peer.addresses);
  json["state"] = name(peer.state);
  json["state_since"] = clock.time(peer.state_since);
  json["state_seconds"] = clock.age(peer.state_since);
  json["connected_since"] = clock.time(peer.connected_since);
  json["connected_seconds"] = clock.age(peer.connected_since);
  json["dialled"] = connected ? Json(peer.dialled) : Json{};
  json["path"] = name(peer.path);
  json["paths"] = paths_of(clock, peer);
  json["last_seen"] = clock.time(peer.last_seen);
  json["last_seen_seconds"] = clock.age(peer.last_seen);
  json["rtt_ms"] = milliseconds(peer.echo_rtt);
  json["rtt_smoothed_ms"] = milliseconds(peer.echo_rtt_smoothed);
  json["jitter_ms"] = milliseconds(peer.jitter);
  json["loss"] = {
      {"window_seconds", 60}, {"forward", loss_of(peer.loss_forward)}, {"return", loss_of(peer.loss_return)}};
  json["bandwidth"] = {{"window_seconds", 60},
                       {"inbound_bytes_per_second", or_null(peer.bandwidth_inbound)},
                       {"outbound_bytes_per_second", or_null(peer.bandwidth_outbound)}};
  json["estimate"] = {{"inbound", estimate_of(clock, peer.estimate_inbound)},
                      {"outbound", estimate_of(clock, peer.estimate_outbound)}};
  json["traffic"] = traffic_of(peer.traffic);
  json["quic"] = {{"datagrams_lost", peer.quic_datagrams_lost},
                  {"cwnd_bytes", or_null(peer.cwnd)},
                  {"bytes_in_flight", or_null(peer.bytes_in_flight)}};
  json["breaker"] = breaker_of(clock, peer.breaker);
  json["failures"] = peer.failures;
  json["next_dial"] = clock.time(peer.next_dial);
  json["next_dial_seconds"] = clock.until(peer.next_dial);
  json["last_error"] = last_error_of(clock, peer.last_error);
  return json;
}

/// What was not measured is null.
template <class E>
Json known(E value) {
  return value == E::unknown ? Json{} : Json(name(value));
}
Json known(event::Tested value) { return value == event::Tested::unknown ? Json{} : Json(value == event::Tested::yes); }

Json seconds(const std::optional<Duration>& d) { return d ? Json(to_seconds(*d)) : Json{}; }

Json nat_json(const Clock& clock, const event::NatFamily& family) {
  Json json{{"family", event::name_of(family.family)}, {"state", name(family.state)}, {"behaviour", Json{}}};
  if (!family.behaviour) return json;
  const event::NatBehaviour& b = *family.behaviour;
  Json& out = json["behaviour"];
  out["udp"] = known(b.udp);
  out["mapped"] = b.mapped ? Json(b.mapped->to_string()) : Json{};
  out["mapping"] = known(b.mapping);
  out["mapping_at_least"] = b.mapping_at_least;
  out["filtering"] = known(b.filtering);
  out["hairpin"] = known(b.hairpin);
  out["allocation"] = known(b.allocation);
  out["step"] = b.allocation == event::PortAllocation::sequential ? Json(b.step) : Json{};
  out["lifetime_seconds"] = seconds(b.lifetime);
  out["expires_seconds"] = seconds(b.expires);
  out["servers"] = b.servers;
  out["confidence"] = b.confidence;
  out["not_tested"] = b.not_tested;
  out["measured"] = clock.time(b.measured);
  out["measured_seconds"] = clock.age(b.measured);
  return json;
}

Json mapping_json(const Clock& clock, const event::PortMappingSnapshot& mapping) {
  Json protocols = Json::array();
  for (std::size_t i = 0; i < mapping.protocols.size(); ++i) {
    const auto& p = mapping.protocols[i];
    protocols.push_back({{"protocol", name(static_cast<event::MappingProtocol>(i))},
                         {"state", name(p.state)},
                         {"detail", p.detail.empty() ? Json{} : Json(p.detail)}});
  }
  Json mapped;
  if (const auto& m = mapping.mapped)
    mapped = {{"protocol", name(m->protocol)},
              {"external", m->external.to_string()},
              {"verified", m->verified},
              {"doubt", m->doubt.empty() ? Json{} : Json(m->doubt)},
              {"expires_seconds", clock.until(m->expires)}};
  return {{"gateway", mapping.gateway ? Json(mapping.gateway->to_string()) : Json{}},
          {"protocols", std::move(protocols)},
          {"mapped", std::move(mapped)}};
}

template <class E, class Of>
Json count_by(const std::vector<PeerSnapshot>& peers, Of of) {
  std::vector<std::uint64_t> counts(enum_count<E>());
  for (const PeerSnapshot& peer : peers) ++counts[static_cast<std::size_t>(of(peer))];
  Json json = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) json[std::string{name(static_cast<E>(i))}] = counts[i];
  return json;
}

unsigned status_of(event::CommandError error) {
  using enum event::CommandError;
  switch (error) {
    case unknown_peer:
      return 404;
    case not_connected:
      return 409;
    case timeout:
      return 504;
    case busy:
      return 429;
    case quota:
      return 429;
    case refused:
      return 502;
    case lost:
      return 502;
    case invalid:
      return 400;
    case stopping:
      return 503;
  }
  return 500;
}

Reply json_reply(const Json& json, unsigned status = 200) {
  Reply reply;
  reply.status = status;
  reply.body = dump(json);
  return reply;
}

}  // namespace

std::string status_document(const View& view, const NodeInfo& info, const Readiness& readiness, bool healthy) {
  const event::NodeSnapshot& node = *view.node;
  const Clock clock{view};
  Json json{
      {"id", node.self.to_string()}, {"short_id", node.self.to_short()}, {"name", info.name}, {"mesh", info.mesh}};
  json["version"] = info.version;
  json["instance"] = to_hex(node.instance);
  json["advertise"] = addresses_of(info.advertise);
  json["at"] = clock.time(node.at);
  json["started"] = clock.time(node.started);
  json["uptime_seconds"] = clock.age(node.started);
  json["stopping"] = node.stopping;
  json["healthy"] = healthy;
  json["ready"] = readiness.reasons.empty();
  json["reasons"] = readiness.reasons;
  json["peers"] = {{"total", node.peers.size()},
                   {"by_state", count_by<event::SessionState>(node.peers, [](const auto& peer) { return peer.state; })},
                   {"by_path", count_by<event::PathKind>(node.peers, [](const auto& peer) { return peer.path; })}};
  Json& roles = json["roles"] = Json::array();
  if (node.peer_role) roles.push_back("peer");
  if (node.serving && node.serving->bootstrap) roles.push_back("bootstrap");
  if (node.serving && node.serving->relay) roles.push_back("relay");
  json["servers"] = {{"configured", node.servers.size()},
                     {"up", std::ranges::count(node.servers, event::ServerState::ready, &event::ServerSnapshot::state)}};
  json["connections"] = {
      {"held", node.connections}, {"half_open", node.half_open}, {"max_sessions", node.max_sessions}};
  return dump(json);
}

std::string peers_document(const View& view) {
  const Clock clock{view};
  Json peers = Json::array();
  for (const PeerSnapshot& peer : view.node->peers) peers.push_back(peer_json(clock, peer));
  return dump({{"at", clock.time(view.node->at)}, {"peers", std::move(peers)}});
}

std::string nat_document(const View& view) {
  const Clock clock{view};
  const event::NatSnapshot& nat = view.node->nat;
  Json families = Json::array();
  for (const event::NatFamily& family : nat.families) families.push_back(nat_json(clock, family));
  Json candidates = Json::array();
  for (const event::OwnCandidate& c : nat.candidates)
    candidates.push_back({{"kind", name(c.kind)}, {"address", c.address.to_string()}, {"priority", c.priority}});
  return dump({{"at", clock.time(view.node->at)},
               {"enabled", nat.enabled},
               {"servers", addresses_of(nat.servers)},
               {"bootstraps", addresses_of(nat.bootstraps)},
               {"unresolved", nat.unresolved},
               {"families", std::move(families)},
               {"candidates", std::move(candidates)},
               {"port_mapping", nat.mapping ? mapping_json(clock, *nat.mapping) : Json{}}});
}

std::string peer_document(const View& view, const PeerSnapshot& peer) { return dump(peer_json(Clock{view}, peer)); }

Reply command_reply(const PeerSnapshot* known, const PeerId& peer, const event::Answer& answer) {
  if (!answer) {
    const auto code = answer.error().code;
    const std::string detail = answer.error().detail.empty() ? std::string{name(code)} : answer.error().detail;
    Reply reply = problem(status_of(code), detail, name(code));
    // The day's quota does not come back within a second.
    if (code == event::CommandError::quota) reply.headers = {{"Retry-After", "3600"}};
    return reply;
  }
  Json json{{"id", peer.to_string()}, {"name", known ? known->name : std::string{}}};
  if (const auto* ping = std::get_if<event::PingAnswer>(&*answer)) {
    json["rtt_ms"] = to_milliseconds(ping->rtt);
    json["path"] = name(ping->path);
    json["suspect"] = ping->suspect;
  } else if (const auto* bandwidth = std::get_if<event::BandwidthAnswer>(&*answer)) {
    json["outbound"] = {{"bytes", bandwidth->bytes_outbound}, {"bytes_per_second", bandwidth->outbound}};
    json["inbound"] = {{"bytes", bandwidth->bytes_inbound}, {"bytes_per_second", bandwidth->inbound}};
  }
  return json_reply(json);
}

Reply reload_reply(const ReloadOutcome& outcome) {
  if (outcome.success) return json_reply({{"success", true}, {"needs_restart", outcome.needs_restart}});
  if (!outcome.not_tried.empty()) return problem(503, outcome.not_tried);
  Reply reply = problem(422, "the configuration has errors; the running one stays in force");
  Json json = Json::parse(reply.body);
  json["errors"] = outcome.errors;
  reply.body = dump(json);
  return reply;
}

Reply ready_reply(const Readiness& readiness) {
  if (readiness.reasons.empty()) return json_reply({{"ready", true}, {"reasons", Json::array()}});
  Reply reply = problem(503, "this node is not ready");
  Json json = Json::parse(reply.body);
  json["ready"] = false;
  json["reasons"] = readiness.reasons;
  reply.body = dump(json);
  return reply;
}

}  // namespace pw::http
