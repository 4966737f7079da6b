#include "mesh/services.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"
#include "peer/admission.hpp"

namespace pw::mesh {

using Offered = wire::service::Services;

namespace {

service::Admission admission_of(const peer::Membership& m) {
  service::Admission a;
  a.mode = m.serve_anybody                                ? service::AdmissionMode::open
           : m.admission == peer::AdmissionMode::secret ? service::AdmissionMode::secret
                                                          : service::AdmissionMode::allowlist;
  a.mesh = m.mesh;
  for (const event::PeerSpec& peer : m.peers) a.allowed.insert(peer.id);
  a.denied.insert(m.deny.begin(), m.deny.end());
  a.secrets = m.secrets;
  return a;
}

service::Credentials credentials_of(const peer::Membership& m) {
  service::Credentials c;
  c.mesh = m.mesh;
  if (m.admission == peer::AdmissionMode::secret) c.secrets = m.secrets;
  return c;
}

Offered wanted_of(const event::ServerSpec& spec) {
  Offered wanted = Offered::none;
  if (spec.bootstrap) wanted = wanted | Offered::bootstrap | Offered::carriage;
  if (spec.relay) wanted = wanted | Offered::relay;
  return wanted;
}

}  // namespace

Services::Services(const ServiceOptions& options, quic::Endpoint& endpoint, const quic::Identity& identity,
                   peer::Context& context, const std::vector<SocketAddress>& listening, Rng rng)
    : options_{options},
      context_{context},
      rng_{std::move(rng)},
      clients_{options.client, endpoint, identity, rng_.split(), context.next_via, options.first_sequence} {
  if (options.server.bootstrap || options.server.relay) server_.emplace(options.server, endpoint, identity.id(), rng_.split());
  if (options.server.bootstrap) stun_.emplace(context, listening, options.stun_alternate);
}

// ---- who the servers are, and where

void Services::configure(Instant now, const peer::Membership& membership) {
  if (context_.stopping) return;
  if (server_) server_->configure(now, admission_of(membership));
  std::vector<service::ServerSpec> specs;
  for (const event::ServerSpec& spec : membership.servers) {
    if (spec.id == context_.self || specs.size() == service::Clients::kMaxServers) continue;
    specs.push_back({spec.id, wanted_of(spec)});
  }
  clients_.configure(now, specs, credentials_of(membership));
  settle(now);  // those that are no longer configured say goodbye
  ++revision_;
  std::erase_if(sites_, [&](const Site& site) { return clients_.find(site.spec.id) == nullptr; });
  stun_changed_ = true;
  for (const event::ServerSpec& spec : membership.servers) {
    if (clients_.find(spec.id) == nullptr) continue;
    Site* site = find(spec.id);
    if (site == nullptr) site = &sites_.emplace_back();
    set(now, *site, spec);
  }
  context_.rendezvous = !sites_.empty();
  rendezvous_.survey(now, options_.peer && context_.rendezvous && membership.admission == peer::AdmissionMode::secret);
  settle(now);
}

/// Its client may be a new one, that knows no address yet.
void Services::set(Instant now, Site& site, const event::ServerSpec& spec) {
  const bool moved = site.spec.addresses != spec.addresses || site.spec.websocket != spec.websocket;
  site.spec = spec;
  if (!moved) return place(now, site);
  site.lookups.clear();
  site.found.clear();
  site.backoff.reset();
  resolve(now, site);
}

/// Addresses that need no look-up stand first, in their order.
void Services::resolve(Instant now, Site& site) {
  site.resolve_at = kNever;
  site.resolved_at = now;
  site.found.clear();
  for (const HostPort& address : site.spec.addresses) {
    if (const auto ip = IpAddress::parse(address.host)) {
      site.found.push_back({IpAddress::any(ip->family()), SocketAddress{*ip, address.port}});
    } else if (site.lookups.size() < kMaxNames) {
      site.lookups.emplace(context_.next_resolve, address.port);
      context_.out.requests.push_back(event::Resolve{context_.next_resolve++, address.host});
    }
  }
  place(now, site);
}

/// A WebSocket is for when UDP leads nowhere: that is known once all names were looked up.
void Services::place(Instant now, Site& site) {
  if (site.found.empty() && (!site.spec.websocket || !site.lookups.empty())) return;
  clients_.set_addresses(now, site.spec.id, site.found, site.spec.websocket);
  if (site.lookups.empty()) choose_stun(site);
}

/// A name with many addresses is one server, and one that gives them by turns has not moved.
void Services::choose_stun(Site& site) {
  const auto before = std::exchange(site.stun, {});
  for (const Family family : {Family::v4, Family::v6}) {
    const SocketAddress* chosen = nullptr;
    for (const PathAddress& at : site.found) {
      if (at.remote.ip.family() != family) continue;
      const bool kept = std::ranges::find(before, at.remote) != before.end();
      if (chosen == nullptr || kept) chosen = &at.remote;
      if (kept) break;
    }
    if (chosen != nullptr) site.stun.push_back(*chosen);
  }
  stun_changed_ = true;
}

std::optional<std::vector<SocketAddress>> Services::poll_stun_servers() {
  const auto busy = [](const Site& site) { return !site.lookups.empty(); };
  if (!stun_changed_ || std::ranges::any_of(sites_, busy)) return std::nullopt;
  stun_changed_ = false;
  std::vector<SocketAddress> all;
  for (const Site& site : sites_)
    if (site.spec.bootstrap) all.insert(all.end(), site.stun.begin(), site.stun.end());
  if (all == stun_told_) return std::nullopt;
  stun_told_ = all;
  return all;
}

bool Services::handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses) {
  const auto site = std::ranges::find_if(sites_, [&](const Site& s) { return s.lookups.contains(id); });
  if (site == sites_.end()) return false;
  const std::uint16_t port = site->lookups.extract(id).mapped();
  if (addresses)
    for (const IpAddress& ip : *addresses) site->found.push_back({IpAddress::any(ip.family()), SocketAddress{ip, port}});
  place(now, *site);
  if (addresses) {
    site->backoff.reset();
  } else if (site->found.empty() && site->lookups.empty()) {
    // Whoever has an address, from an earlier look-up perhaps, is dialled there meanwhile.
    const bool elsewhere = changed_at_ && *changed_at_ >= site->resolved_at;
    if (elsewhere) site->backoff.reset();
    site->resolve_at =
        elsewhere ? std::max(now, site->resolved_at + kResolvePause) : now + kResolvePause + site->backoff.next(rng_);
    fail(now, *site, false, event::ErrorType::dns, addresses.error().detail);
  }
  return true;
}

/// A name that could not be looked up, or is just being, may be known where this node is now.
void Services::network_changed(Instant now) {
  clients_.network_changed(now);
  changed_at_ = now;
  for (Site& site : sites_)
    if (site.resolve_at != kNever) site.resolve_at = earlier(site.resolve_at, std::max(now, site.resolved_at + kResolvePause));
}

Services::Site* Services::find(const PeerId& server) {
  const auto found = std::ranges::find(sites_, server, [](const Site& s) { return s.spec.id; });
  return found == sites_.end() ? nullptr : &*found;
}

// ---- input

bool Services::handle(Instant now, const quic::Event& event) {
  if (const auto* up = std::get_if<quic::Established>(&event); up != nullptr && refuse_peer(now, *up)) return true;
  return (server_ && server_->handle(now, event)) || clients_.handle(now, event);
}

void Services::handle_timeout(Instant now) {
  if (server_ && server_->poll_timeout() <= now) server_->handle_timeout(now);
  if (clients_.poll_timeout() <= now) clients_.handle_timeout(now);
  for (Site& site : sites_)
    if (site.resolve_at <= now) resolve(now, site);
  rendezvous_.handle_timeout(now);
  close_unused(now);
  close_unused_pipes(now);
}

Instant Services::poll_timeout() const {
  Instant next = earlier(earlier(clients_.poll_timeout(), rendezvous_.poll_timeout()), inbound_.poll_timeout());
  next = earlier(next, pipes_.poll_timeout());
  if (server_) next = earlier(next, server_->poll_timeout());
  for (const Site& site : sites_) next = earlier(next, site.resolve_at);
  return next;
}

void Services::shutdown(Instant now) {
  if (server_) server_->shutdown(now);
  clients_.shutdown(now);
  for (Site& site : sites_) site.resolve_at = kNever;
  settle(now);
}

void Services::take(Instant now, const peer::ChannelWish& wish) { rendezvous_.take(now, wish); }

bool Services::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  if (!stun_ || !stun_->handle_socket(now, via, bound)) return false;
  server_->offer_knocks(stun_->can_knock());
  return true;
}

bool Services::check_mapping(const MappingCheck::Ask& ask) {
  service::Client* client = clients_.find(ask.server);
  return client != nullptr && client->check_mapping(ask.number, ask.address, ask.transaction);
}

// ---- what the clients say

void Services::settle(Instant now) {
  while (auto event = clients_.poll_event())
    std::visit(
        [&](auto& e) {
          if constexpr (std::is_same_v<std::decay_t<decltype(e)>, service::Arrived>)
            arrived_.push_back(std::move(e));
          else
            on(now, e);
        },
        *event);
  clients_.poll_home_relays();  // the snapshot shows them
  while (const auto knock = server_ ? server_->poll_knock() : std::nullopt) stun_->knock(*knock);
  while (const auto via = server_ ? server_->poll_left_pipe() : std::nullopt) on(now, event::ClosePipe{*via});
}

std::optional<service::MappingAnswered> Services::poll_mapping_answer() {
  return taken(mapping_answers_);
}

std::optional<service::Arrived> Services::poll_arrived() {
  return taken(arrived_);
}

void Services::on(Instant now, const service::ServiceUp& e) {
  reached_once_ = true;
  ++revision_;
  context_.fitness.heard(now, e.server);
  context_.out.emit(now, event::ServiceUp{e.server, e.transport, e.observed, e.took});
  if (Site* site = find(e.server)) {
    site->up_since = now;
    site->observed = e.observed;
  }
  rendezvous_.handle(now, e);
}

/// Its names may lead elsewhere by now.
void Services::on(Instant now, const service::ServiceDown& e) {
  Site* site = find(e.server);
  if (site == nullptr) return;  // no longer configured
  site->up_since.reset();
  site->observed.reset();
  ++revision_;
  fail(now, *site, e.was_up, e.error, e.detail);
  const bool named = std::ranges::any_of(site->spec.addresses,
                                         [](const HostPort& a) { return !IpAddress::parse(a.host); });
  if (named && site->lookups.empty() && !context_.stopping)
    site->resolve_at = earlier(site->resolve_at, std::max(now, site->resolved_at + kResolvePause));
}

void Services::fail(Instant now, Site& site, bool was_up, event::ErrorType error, std::string detail) {
  site.last_error = event::ServerError{now, error, detail};
  context_.out.emit(now, event::ServiceDown{site.spec.id, was_up, error, std::move(detail), site.spec.bootstrap});
}

void Services::on(Instant now, const service::AddressObserved& e) {
  if (Site* site = find(e.server)) site->observed = e.address;
  ++revision_;
  context_.out.emit(now, event::AddressObserved{e.server, e.address});
}

void Services::on(Instant now, const service::RequestDone& e) {
  Site* site = find(e.server);
  if (site == nullptr) return;
  ++site->requests[static_cast<std::size_t>(e.kind)][static_cast<std::size_t>(e.result)];
  if (e.result == event::RequestResult::success || e.result == event::RequestResult::refused) {
    site->response[static_cast<std::size_t>(e.kind)] = e.took;
    context_.fitness.heard(now, e.server);
  }
  context_.out.emit(now, event::ServiceRequested{e.server, e.kind, e.result, e.took});
}

void Services::on(Instant now, const service::ChannelUp& e) {
  context_.endpoint.name_channel(now, e.via, e.server, e.peer);
  if (e.transport == event::Transport::websocket) context_.by_websocket.insert(e.via);
  if (Site* site = find(e.server)) ++site->channels;
  rendezvous_.handle(now, e);
  if (!e.inbound) return;
  if (const auto why = inbound_.opened(now, e.via, e.server, e.peer, is_stranger(e.peer)))
    close_inbound(now, e.via, e.server, e.peer, *why);
}

void Services::on(Instant now, const service::ChannelTurnedAway& e) {
  context_.out.emit(now, event::InboundChannelClosed{e.server, e.peer, event::ChannelClosure::full});
}

void Services::on(Instant, const service::PeerObserved& e) { context_.observations.set(e.via, e.peer, e.address.ip); }

void Services::on(Instant now, const service::ChannelDown& e) {
  context_.endpoint.forget_channel(e.via);
  context_.observations.forget(e.via);
  context_.by_websocket.erase(e.via);
  inbound_.closed(e.via);
  if (Site* site = find(e.server); site != nullptr && rendezvous_.up(e.via)) --site->channels;
  rendezvous_.handle(now, e);
}

// ---- what comes of channels to this node

bool Services::is_stranger(const PeerId& peer) const {
  const bool listed = std::ranges::find(context_.membership.peers, peer, &event::PeerSpec::id) !=
                      context_.membership.peers.end();
  return peer::judge_key(peer, context_.self, context_.membership, listed).has_value();
}

void Services::close_unused(Instant now) {
  if (inbound_.poll_timeout() > now) return;
  const auto connected = [this](const PeerId& peer) {
    return std::ranges::any_of(context_.owners, [&](const auto& owner) { return owner.second == peer; });
  };
  for (const auto& [via, channel] : inbound_.expired(now, connected))
    close_inbound(now, via, channel.server, channel.peer, event::ChannelClosure::unused);
}

void Services::close_inbound(Instant now, Via via, const PeerId& server, const PeerId& peer, event::ChannelClosure why) {
  service::Client* client = clients_.find(server);
  if (client == nullptr) return;  // no longer configured, and its channels are gone
  client->close_channel(via);
  context_.out.emit(now, event::InboundChannelClosed{server, peer, why});
}

// ---- getters

std::vector<Sighting> Services::sightings() const {
  std::vector<Sighting> all;
  for (const Site& site : sites_) {
    const service::Client* client = clients_.find(site.spec.id);
    if (site.observed && client != nullptr)
      all.push_back({site.spec.id, *site.observed, any(client->services() & Offered::bootstrap)});
  }
  return all;
}

std::vector<event::ServerSnapshot> Services::servers() const {
  std::vector<event::ServerSnapshot> all;
  const auto& homes = clients_.home_relays();
  for (const Site& site : sites_) {
    const service::Client* client = clients_.find(site.spec.id);
    if (client == nullptr) continue;
    event::ServerSnapshot& s = all.emplace_back();
    s.spec = site.spec;
    s.state = client->state();
    s.up_since = site.up_since;
    s.grants_bootstrap = any(client->services() & Offered::bootstrap);
    s.grants_carriage = any(client->services() & Offered::carriage);
    s.grants_relay = any(client->services() & Offered::relay);
    s.home = std::ranges::find(homes, site.spec.id) != homes.end();
    s.transport = client->transport();
    s.rtt = client->rtt();
    s.observed = site.observed;
    s.channels = site.channels;
    s.failures = client->failures();
    s.last_error = site.last_error;
    s.requests = site.requests;
    s.response = site.response;
  }
  return all;
}

std::optional<event::ServingSnapshot> Services::serving() const {
  if (!server_) return std::nullopt;
  event::ServingSnapshot s{options_.server.bootstrap, options_.server.relay, server_->stats()};
  if (stun_) s.stats.stun = stun_->counts();
  return s;
}

}  // namespace pw::mesh
