#include "service/clients.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"

namespace pw::service {

using wire::service::Services;

Clients::Clients(ClientOptions options, quic::Endpoint& endpoint, const quic::Identity& identity, Rng rng,
                 std::uint32_t& next_via, std::uint64_t first_sequence)
    : options_{options},
      endpoint_{endpoint},
      identity_{identity},
      rng_{std::move(rng)},
      next_via_{next_via},
      sequence_{first_sequence} {}

void Clients::configure(Instant now, const std::vector<ServerSpec>& servers, const Credentials& credentials) {
  const bool same = credentials.mesh == credentials_.mesh && credentials.secrets == credentials_.secrets;
  credentials_ = credentials;
  std::erase_if(clients_, [&](const std::unique_ptr<Client>& c) {
    if (same && std::ranges::any_of(servers, [&](const ServerSpec& s) {
          return s.id == c->server().id && s.services == c->server().services;
        }))
      return false;
    c->shutdown(now);
    while (auto event = c->poll_event()) farewells_.push_back(std::move(*event));
    return true;
  });
  for (const ServerSpec& s : servers)
    if (clients_.size() < kMaxServers && s.id != identity_.id() && find(s.id) == nullptr)
      clients_.push_back(
          std::make_unique<Client>(options_, endpoint_, identity_.id(), s, credentials_, rng_.split(), next_via_));
  judge_at_ = now;
}

void Clients::set_addresses(Instant now, const PeerId& server, std::vector<PathAddress> addresses,
                            std::optional<WebSocketAddress> websocket) {
  if (Client* c = find(server)) c->set_addresses(now, std::move(addresses), std::move(websocket));
}

void Clients::network_changed(Instant now) {
  for (const auto& c : clients_) c->network_changed(now);
}

void Clients::shutdown(Instant now) {
  for (const auto& c : clients_) c->shutdown(now);
}

Client* Clients::find(const PeerId& server) const {
  const auto found = std::ranges::find_if(clients_, [&](const auto& c) { return c->server().id == server; });
  return found == clients_.end() ? nullptr : found->get();
}

std::vector<Client*> Clients::ranked(Services services) const {
  std::vector<std::pair<Duration, Client*>> ready;
  for (const auto& c : clients_)
    if (const auto rtt = c->rtt(); rtt && any(c->services() & services)) ready.emplace_back(*rtt, c.get());
  std::ranges::stable_sort(ready, {}, &std::pair<Duration, Client*>::first);
  std::vector<Client*> out;
  for (const auto& [rtt, c] : ready) out.push_back(c);
  return out;
}

Result<std::uint32_t> Clients::look_up(Instant now, const std::optional<PeerId>& peer) {
  const auto bootstraps = ranked(Services::bootstrap);
  if (bootstraps.empty()) return fail("no bootstrap is connected");
  return bootstraps.front()->look_up(now, peer);
}

bool Clients::send(Via via, ByteView packet) {
  return std::ranges::any_of(clients_, [&](const auto& c) { return c->send(via, packet); });
}

// ---- input and output

bool Clients::handle(Instant now, const quic::Event& event) {
  return tell(now, [&](Client& c) { return c.handle(now, event); });
}

bool Clients::handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened) {
  return tell(now, [&](Client& c) { return c.handle_pipe(now, via, opened); });
}

bool Clients::handle_pipe_closed(Instant now, Via via) {
  return tell(now, [&](Client& c) { return c.handle_pipe_closed(now, via); });
}

/// To the one that it is for.
template <class Call>
bool Clients::tell(Instant now, Call call) {
  return std::ranges::any_of(clients_, [&](const auto& c) {
    if (!call(*c)) return false;
    // Relays come and go together when this node's network does: they are judged when the dust has settled.
    const bool home = std::ranges::find(homes_, c->server().id) != homes_.end();
    const bool wanted = any(c->services() & Services::relay) && homes_.size() < kHomeRelays;
    // But whoever has none takes the first that is there, so that he is found at once.
    if (c->ready() ? !home && wanted : home) judge_at_ = earlier(judge_at_, homes_.empty() ? now : now + kGrace);
    return true;
  });
}

void Clients::handle_timeout(Instant now) {
  for (const auto& c : clients_)
    if (c->poll_timeout() <= now) c->handle_timeout(now);
  if (judge_at_ <= now) judge(now);
}

Instant Clients::poll_timeout() const {
  Instant next = judge_at_;
  for (const auto& c : clients_) next = earlier(next, c->poll_timeout());
  return next;
}

std::optional<ClientEvent> Clients::poll_event() {
  if (auto farewell = taken(farewells_)) return farewell;
  for (const auto& c : clients_) {
    auto event = c->poll_event();
    if (!event) continue;
    if (auto* done = std::get_if<LookupDone>(&*event)) keep_newest(*done);
    return event;
  }
  return std::nullopt;
}

void Clients::keep_newest(LookupDone& done) {
  done.rejected += std::erase_if(done.found, [this](const Located& located) {
    const auto known = newest_.find(located.record.id);
    if (known == newest_.end()) {
      if (newest_.size() < kMaxKnown) newest_.emplace(located.record.id, located.record.sequence);
      return false;
    }
    if (located.record.sequence < known->second) return true;
    known->second = located.record.sequence;
    return false;
  });
}

// ---- home relays

void Clients::judge(Instant now) {
  judge_at_ = now + kJudgeInterval;
  const std::vector<Client*> relays = ranked(Services::relay);
  const auto up = [&](const PeerId& id) {
    return std::ranges::any_of(relays, [&](const Client* c) { return c->server().id == id; });
  };
  std::vector<PeerId> best;
  for (std::size_t i = 0; i < std::min(relays.size(), kHomeRelays); ++i) best.push_back(relays[i]->server().id);
  // Who is home and there stays; empty places go to the quickest.
  std::vector<PeerId> homes = homes_;
  std::erase_if(homes, [&](const PeerId& id) { return !up(id); });
  for (const Client* c : relays)
    if (homes.size() < kHomeRelays && std::ranges::find(homes, c->server().id) == homes.end())
      homes.push_back(c->server().id);
  if (homes != homes_) {
    steady_ = 0;
    return adopt(now, std::move(homes));
  }
  const auto total = [&](const std::vector<PeerId>& ids) {
    Duration sum{};
    for (const PeerId& id : ids) sum += find(id)->rtt().value_or(Duration{});
    return sum;
  };
  const Duration ours = total(homes_), theirs = total(best);
  const bool better = ours - theirs > kMargin && to_seconds(theirs) < to_seconds(ours) * (1 - kMarginShare);
  steady_ = better ? (best == challengers_ ? steady_ + 1 : 1) : 0;
  challengers_ = better ? best : std::vector<PeerId>{};
  if (steady_ >= kSteady) {
    steady_ = 0;
    return adopt(now, std::move(best));
  }
  for (const auto& c : clients_) publish(now, *c);
}

void Clients::adopt(Instant now, std::vector<PeerId> homes) {
  homes_ = std::move(homes);
  changed_ = HomeRelaysChanged{homes_};
  ++sequence_;
  for (const auto& c : clients_) publish(now, *c);
}

void Clients::publish(Instant now, Client& client) {
  if (client.published() == sequence_) return;
  wire::PeerRecord record;
  record.id = identity_.id();
  record.sequence = sequence_;
  record.lifetime_s = kRecordLifetime;
  record.relays = homes_;
  std::ranges::sort(record.relays);
  record.signature = identity_.sign(wire::signed_part(record));
  client.publish(now, record);
}

}  // namespace pw::service
