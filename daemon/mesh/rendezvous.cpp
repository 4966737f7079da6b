#include "mesh/rendezvous.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"

namespace pw::mesh {

using service::Client;
using service::RequestResult;
using wire::service::Services;

namespace {

std::string_view why_lost(service::ChannelLoss why) {
  switch (why) {
    case service::ChannelLoss::refused:
      return "refused";
    case service::ChannelLoss::timeout:
      return "no answer";
    case service::ChannelLoss::closed:
      return "closed by the peer";
    case service::ChannelLoss::peer_gone:
      return "the peer is not there";
    case service::ChannelLoss::pair_limit:
      return "what the bootstrap carries is used up";
    case service::ChannelLoss::connection_lost:
      return "the server was lost";
    case service::ChannelLoss::local:
      return "closed here";
  }
  return {};
}

/// The peer is not there, or does not want it.
bool is_absence(const service::ChannelDown& e) {
  switch (e.why) {
    case service::ChannelLoss::refused:
      return e.refusal == wire::service::Refusal::not_present;
    case service::ChannelLoss::closed:
    case service::ChannelLoss::peer_gone:
      return true;
    case service::ChannelLoss::timeout:
    case service::ChannelLoss::pair_limit:
    case service::ChannelLoss::connection_lost:
    case service::ChannelLoss::local:
      return false;
  }
  return false;
}

}  // namespace

// ---- what sessions want

void Rendezvous::take(Instant now, const peer::ChannelWish& wish) {
  std::visit([&](const auto& w) { on(now, w); }, wish);
}

void Rendezvous::on(Instant now, const peer::SeekChannel& wish) {
  const auto [search, fresh] = searches_.try_emplace(wish.peer);
  if (!fresh && (wish.beside || !search->second.beside)) return;
  search->second.until = now + kPatience;
  search->second.beside = wish.beside;
  // A session knew the peer to be there a moment ago: the relays that are left say so themselves, a round trip sooner.
  if (wish.beside)
    for (const Client* relay : clients_.ranked(Services::relay))
      if (is_beside(*relay, wish.peer) && search->second.through.size() < kMaxThrough) search->second.through.push_back(relay->server().id);
  step(now, wish.peer, search->second);
}

void Rendezvous::on(Instant, const peer::AbandonSearch& wish) {
  const auto search = searches_.find(wish.peer);
  if (search == searches_.end()) return;
  const auto via = search->second.via;
  searches_.erase(search);
  if (via) close(opening_.at(*via), *via);
}

void Rendezvous::on(Instant, const peer::ReleaseChannel& wish) {
  const auto channel = channels_.find(wish.via);
  if (channel == channels_.end() || !channel->second.ours) return;
  close(channel->second.server, wish.via);
}

/// A NAT that has forgotten us is as silent as a server that is gone.
void Rendezvous::on(Instant now, const peer::DoubtChannel& wish) {
  const auto channel = channels_.find(wish.via);
  if (channel == channels_.end()) return;
  if (Client* client = clients_.find(channel->second.server)) client->doubt(now);
}

/// ChannelDown follows, and forgets it.
void Rendezvous::close(const PeerId& server, Via via) {
  if (Client* client = clients_.find(server)) client->close_channel(via);
}

// ---- searches

bool Rendezvous::leads_to(const PeerId& server, const PeerId& peer) const {
  return std::ranges::any_of(channels_, [&](const auto& entry) {
    return entry.second.server == server && entry.second.peer == peer && entry.second.ours;
  });
}

bool Rendezvous::is_beside(const Client& server, const PeerId& peer) const {
  return !server.in_doubt() && std::ranges::none_of(channels_, [&](const auto& entry) {
    return entry.second.server == server.server().id && entry.second.peer == peer;
  });
}

Rendezvous::Standing& Rendezvous::standing(const PeerId& server) {
  if (standings_.size() >= 2 * service::Clients::kMaxServers)
    std::erase_if(standings_, [this](const auto& s) { return clients_.find(s.first) == nullptr; });
  return standings_[server];
}

void Rendezvous::led_nowhere(Search& search) {
  if (const auto server = std::exchange(search.led_by, std::nullopt)) ++standing(*server).in_vain;
}

void Rendezvous::step(Instant now, const PeerId& peer, Search& search) {
  search.next = kNever;
  if (search.question || search.via || open(now, peer, search)) return;
  led_nowhere(search);
  if (!ask(now, peer, search) && search.beside) search.until = now;  // nothing is there to wait for
}

bool Rendezvous::open(Instant now, const PeerId& peer, Search& search) {
  while (!search.through.empty()) {
    if (!standing(search.through.front()).steps.take(now)) {
      search.next = now + kRetry;
      search.answer = {"too many searches at once"};
      return true;
    }
    Client* client = clients_.find(search.through.front());
    search.through.pop_front();
    if (client == nullptr) continue;
    const auto via = client->open_channel(now, peer);
    if (!via) continue;
    search.via = *via;
    opening_.emplace(*via, client->server().id);
    return true;
  }
  return false;
}

bool Rendezvous::ask(Instant now, const PeerId& peer, Search& search) {
  bool busy = false;
  std::vector<Client*> bootstraps = clients_.ranked(Services::bootstrap);
  std::ranges::stable_sort(bootstraps, {}, [this](const Client* c) {
    return std::pair{c->in_doubt(), standing(c->server().id).in_vain};
  });
  for (Client* bootstrap : bootstraps) {
    const PeerId& id = bootstrap->server().id;
    if (std::ranges::find(search.asked, id) != search.asked.end() || (search.beside && bootstrap->in_doubt())) continue;
    Result<std::uint32_t> request = fail("too many searches at once");
    if (standing(id).steps.take(now)) request = bootstrap->look_up(now, peer);
    if (request) {
      search.asked.push_back(id);
      search.question = Question{id, *request};
      return true;
    }
    search.answer = {request.error().detail};
    busy = true;
  }
  if (busy) search.next = now + kRetry;
  return busy;
}

// ---- the whole mesh

void Rendezvous::survey(Instant now, bool wanted) {
  if (std::exchange(surveys_, wanted) == wanted) return;
  survey_at_ = wanted ? now : kNever;
}

/// One bootstrap is enough: a peer registers with all that it has.
void Rendezvous::look_around(Instant now) {
  survey_at_ = now + kSurvey;
  for (Client* bootstrap : clients_.ranked(Services::bootstrap))
    if (standing(bootstrap->server().id).steps.take(now) && bootstrap->look_up(now, std::nullopt)) return;
}

// ---- input

void Rendezvous::handle(Instant now, const service::ServiceUp& e) {
  if (surveys_) survey_at_ = now;
  for (auto& [peer, search] : searches_) {
    std::erase(search.asked, e.server);
    step(now, peer, search);
  }
}

void Rendezvous::handle(Instant now, const service::PeerSeen& e) {
  if (!e.present || !standing(e.server).news.take(now)) return;
  const auto search = searches_.find(e.peer);
  if (search == searches_.end()) return outcomes_.push_back(Present{e.peer});
  std::erase(search->second.asked, e.server);  // by whom it may be found now
  step(now, e.peer, search->second);
}

void Rendezvous::handle(Instant now, const service::LookupDone& e) {
  if (!e.peer) {
    for (const service::Located& located : e.found)
      if (located.present && surveys_) outcomes_.push_back(Present{located.record.id});
    return;
  }
  const auto found = searches_.find(*e.peer);
  if (found == searches_.end()) return;
  Search& search = found->second;
  if (!search.question || search.question->server != e.server || search.question->request != e.request) return;
  search.question.reset();
  if (e.result != RequestResult::success) ++standing(e.server).in_vain;
  if (e.result == RequestResult::success)
    search.answer = {"no bootstrap knows the peer", true};
  else
    search.answer = {"a bootstrap did not answer"};
  if (!e.found.empty()) {
    const service::Located& located = e.found.front();
    search.answer = {"no relay or bootstrap is common with the peer", !located.present};
    if (located.present) search.led_by = e.server;
    // Those that its record names, then others that we know: it may have come there since. What leads there already and
    // is not good enough comes last, as does what is in doubt.
    std::vector<PeerId> named, others;
    for (const Client* relay : clients_.ranked(Services::relay)) {
      if (search.beside && !is_beside(*relay, *e.peer)) continue;
      const PeerId& id = relay->server().id;
      const auto& homes = located.record.relays;
      (std::ranges::find(homes, id) != homes.end() ? named : others).push_back(id);
    }
    std::ranges::stable_partition(named, [&](const PeerId& id) {
      return !leads_to(id, *e.peer) && !clients_.find(id)->in_doubt();
    });
    search.through.assign(named.begin(), named.end());
    if (located.present) search.through.insert(search.through.end(), others.begin(), others.end());
    if (search.through.size() > kMaxThrough - 1) search.through.resize(kMaxThrough - 1);
    const Client* bootstrap = clients_.find(e.server);
    const bool carries = bootstrap != nullptr && any(bootstrap->services() & Services::carriage) &&
                         (!search.beside || is_beside(*bootstrap, *e.peer));
    if (carries && located.present && std::ranges::find(search.through, e.server) == search.through.end())
      search.through.push_back(e.server);
  }
  step(now, *e.peer, search);
}

void Rendezvous::handle(Instant, const service::ChannelUp& e) {
  channels_.insert_or_assign(e.via, Channel{e.server, e.peer, !e.inbound});
  opening_.erase(e.via);
  if (e.inbound) return;
  const auto search = searches_.find(e.peer);
  if (search != searches_.end() && search->second.led_by) standing(*search->second.led_by).in_vain = 0;
  searches_.erase(e.peer);
  outcomes_.push_back(Reached{e.peer, e.via});
}

void Rendezvous::handle(Instant now, const service::ChannelDown& e) {
  opening_.erase(e.via);
  if (channels_.erase(e.via) != 0) {
    outcomes_.push_back(Lost{e.peer, e.via});
    return;
  }
  const auto found = searches_.find(e.peer);
  if (found == searches_.end() || found->second.via != e.via) return;
  found->second.via.reset();
  found->second.answer = {"no channel: " + std::string{why_lost(e.why)}, is_absence(e)};
  step(now, e.peer, found->second);
}

void Rendezvous::handle(Instant, const service::ChannelMoved& e) { outcomes_.push_back(Moved{e.peer, e.via}); }

void Rendezvous::handle_timeout(Instant now) {
  if (survey_at_ <= now) look_around(now);
  for (auto at = searches_.begin(); at != searches_.end();) {
    const auto here = at++;
    Search& search = here->second;
    if (search.until <= now) {
      const auto via = search.via;
      led_nowhere(search);
      outcomes_.push_back(Missed{here->first, std::move(search.answer)});
      searches_.erase(here);
      if (via) close(opening_.at(*via), *via);
    } else if (search.next <= now) {
      step(now, here->first, search);
    }
  }
}

Instant Rendezvous::poll_timeout() const {
  Instant next = survey_at_;
  for (const auto& [peer, search] : searches_) next = earlier(next, earlier(search.until, search.next));
  return next;
}

std::optional<Rendezvous::Outcome> Rendezvous::poll_outcome() {
  return taken(outcomes_);
}

}  // namespace pw::mesh
