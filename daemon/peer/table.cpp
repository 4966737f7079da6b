#include "peer/table.hpp"

#include <algorithm>
#include <unordered_set>

#include "base/check.hpp"
#include "path/checks.hpp"
#include "peer/admission.hpp"

namespace pw::peer {

using event::AdmissionRefusal;
using event::DiscoveryMethod;
using event::SessionState;

namespace {

/// By configuration, a file, DNS or an operator: each of these may let a peer in where an allowlist does.
bool is_listed(DiscoveryMethod method) {
  return method != DiscoveryMethod::inbound && method != DiscoveryMethod::bootstrap;
}

/// By what a reload may take away.
bool is_of_membership(DiscoveryMethod method) {
  return method == DiscoveryMethod::configured || method == DiscoveryMethod::file || method == DiscoveryMethod::dns;
}

}  // namespace

Session* Table::find(const PeerId& peer) {
  const auto found = sessions_.find(peer);
  return found == sessions_.end() ? nullptr : found->second.get();
}

Session* Table::owner_of(quic::Handle connection) {
  const auto owner = context_.owners.find(connection);
  return owner == context_.owners.end() ? nullptr : find(owner->second);
}

bool Table::listed(const PeerId& peer) const {
  const auto found = sessions_.find(peer);
  return found != sessions_.end() && !found->second->removed() && is_listed(found->second->method());
}

void Table::add(Instant now, const event::PeerSpec& spec, DiscoveryMethod method) {
  auto session = std::make_unique<Session>(context_, spec, method, now);
  Session& added = *session;
  sessions_.emplace(spec.id, std::move(session));
  rearm(now, added);
}

// ---- who is there

void Table::configure(Instant now, const Membership& membership) {
  if (context_.stopping) return;  // a reload must not start what would have to end again
  context_.membership = membership;
  context_.bandwidth_quota.set_limit(membership.probe.bandwidth_max_bytes_per_day);
  for (const event::PeerSpec& spec : membership.peers) {
    if (spec.id == context_.self) continue;
    const auto discovered = membership.discovered.find(spec.id);
    const auto method = discovered == membership.discovered.end() ? DiscoveryMethod::configured : discovered->second;
    if (Session* session = find(spec.id)) {
      session->update(spec, method, now);
      rearm(now, *session);
    } else {
      add(now, spec, method);
    }
  }
  std::unordered_set<PeerId> configured;
  for (const event::PeerSpec& spec : membership.peers) configured.insert(spec.id);
  std::vector<PeerId> gone;
  for (const auto& [id, session] : sessions_) {
    const bool removed = is_of_membership(session->method()) && !configured.contains(id);
    if (removed || judge_key(id, context_.self, membership, listed(id))) gone.push_back(id);
  }
  std::ranges::sort(gone);
  for (const PeerId& id : gone) {
    Session& session = *sessions_.at(id);
    session.remove(now);
    rearm(now, session);
  }
  for (const auto& [id, session] : sessions_) {
    session->membership_changed(now);
    deadlines_.set(id, earlier(session->next_timeout(), forget_at(*session)));
  }
}

/// By an operator: a peer that nobody listed, until now.
void Table::introduce(Instant now, const event::PeerSpec& spec) {
  Session* session = find(spec.id);
  if (!session)
    add(now, spec, DiscoveryMethod::manual);
  else if (!listed(spec.id))
    session->update(spec, DiscoveryMethod::manual, now);
}

/// A bootstrap's word costs a session of ours, so there are only as many as there may be at all. Whoever is at the other end
/// proves the secret before anything else.
bool Table::discover(Instant now, const PeerId& peer) {
  const Membership& m = context_.membership;
  if (context_.stopping || m.admission != AdmissionMode::secret || judge_key(peer, context_.self, m, false)) return false;
  if (sessions_.size() >= m.max_sessions) return false;
  there_[peer] = now;
  add(now, event::PeerSpec{peer, {}, false, {}}, DiscoveryMethod::bootstrap);
  return true;
}

Instant Table::forget_at(const Session& session) const {
  if (!session.idle()) return kNever;
  if (session.removed()) return session.state_since();
  if (session.method() == DiscoveryMethod::bootstrap && !session.held()) {
    const auto there = there_.find(session.id());
    return (there == there_.end() ? session.state_since() : there->second) + context_.options.retention;
  }
  // Who is to stay away is not forgotten: it would be let in again.
  if (session.method() != DiscoveryMethod::inbound || session.held()) return kNever;
  return session.state_since() + context_.options.retention;
}

void Table::forget(Instant now, const PeerId& peer) {
  const event::PeerTotals totals = sessions_.at(peer)->snapshot(now);
  deadlines_.clear(peer);
  there_.erase(peer);
  sessions_.erase(peer);
  context_.out.emit(now, event::PeerRemoved{peer, totals});
}

void Table::rearm(Instant now, Session& session) {
  const PeerId id = session.id();
  if (session.removed() && session.idle()) return forget(now, id);
  if (session.method() == DiscoveryMethod::bootstrap && session.state() == SessionState::connected) there_[id] = now;
  deadlines_.set(id, earlier(session.next_timeout(), forget_at(session)));
}

// ---- commands

void Table::handle_command(Instant now, event::Ticket ticket, const event::Command& command) {
  if (context_.stopping) return context_.out.fail(ticket, event::CommandError::stopping, "the daemon is stopping");
  const PeerId peer = std::visit([](const auto& c) { return c.peer; }, command);
  if (const auto* connect = std::get_if<event::Connect>(&command)) {
    if (peer == context_.self)
      return context_.out.fail(ticket, event::CommandError::invalid, "that is this node itself");
    if (const auto refusal = judge_key(peer, context_.self, context_.membership, true))
      return context_.out.fail(ticket, event::CommandError::refused, "refused here: " + std::string{name(*refusal)});
    if (!connect->addresses.empty()) introduce(now, event::PeerSpec{peer, {}, false, connect->addresses});
  }
  Session* session = find(peer);
  if (!session || session->removed())
    return context_.out.fail(ticket, event::CommandError::unknown_peer, "no such peer is known here");
  if (std::holds_alternative<event::Connect>(command)) {
    session->connect(now);
    context_.out.reply(ticket, event::Done{});
  } else if (std::holds_alternative<event::Disconnect>(command)) {
    session->hold(now);
    context_.out.reply(ticket, event::Done{});
  } else if (const auto* ping = std::get_if<event::Ping>(&command)) {
    session->ping(now, ticket, ping->size);
  } else if (const auto* measure = std::get_if<event::MeasureBandwidth>(&command)) {
    session->measure_bandwidth(now, ticket, measure->bytes, measure->duration);
  }
  rearm(now, *session);
}

void Table::shutdown(Instant now) {
  context_.stopping = true;
  for (const auto& [id, session] : sessions_) {
    session->leave(now, wire::GoodbyeReason::shutdown);
    deadlines_.set(id, session->next_timeout());
  }
}

bool Table::quiet() const {
  return std::ranges::all_of(sessions_, [](const auto& entry) { return entry.second->idle(); });
}

// ---- input

void Table::handle(Instant now, const quic::Event& e) {
  if (const auto* established = std::get_if<quic::Established>(&e); established && !established->dialled)
    return handle_established(now, *established);
  const quic::Handle connection = std::visit([](const auto& what) { return what.connection; }, e);
  const auto owner = context_.owners.find(connection);
  if (owner == context_.owners.end()) {
    if (const auto* closed = std::get_if<quic::Closed>(&e)) stranger_closed(now, *closed);
    return;
  }
  Session* session = find(owner->second);
  if (std::holds_alternative<quic::Closed>(e)) context_.owners.erase(owner);
  if (!session) return;
  std::visit(
      [&](const auto& what) {
        if constexpr (std::is_same_v<std::decay_t<decltype(what)>, quic::Established>)
          session->handle_established(now, what);
        else if constexpr (!std::is_same_v<std::decay_t<decltype(what)>, quic::StreamOpened> &&
                           !std::is_same_v<std::decay_t<decltype(what)>, quic::DatagramReceived>)  // none are spoken
          session->handle(now, what);
      },
      e);
  reached_once_ = reached_once_ || session->state() == SessionState::connected;
  rearm(now, *session);
}

void Table::handle_established(Instant now, const quic::Established& e) {
  // Whoever wants a service of ours is no peer by that, and none is offered here.
  if (e.protocol != quic::Protocol::peer)
    return context_.endpoint.close(now, e.connection, static_cast<std::uint64_t>(CloseCode::protocol), "no services here");
  auto refusal = judge_key(e.peer, context_.self, context_.membership, listed(e.peer));
  if (!refusal && !listed(e.peer)) refusal = make_room(now, e.peer);
  if (context_.stopping)
    return context_.endpoint.close(now, e.connection, static_cast<std::uint64_t>(CloseCode::done), "stopping");
  if (refusal) {
    const std::string why = "refused here: " + std::string{name(*refusal)};
    context_.out.emit(now, event::AdmissionRefused{e.peer, e.path.remote, *refusal, false});
    context_.out.emit(now, event::ConnectionFailed{e.peer, e.path.remote, event::ErrorType::admission, why});
    return context_.endpoint.close(
        now, e.connection, static_cast<std::uint64_t>(CloseCode::refused) + static_cast<std::uint64_t>(*refusal),
        name(*refusal));
  }
  context_.owners.emplace(e.connection, e.peer);
  if (!find(e.peer)) add(now, event::PeerSpec{e.peer, {}, false, {}}, DiscoveryMethod::inbound);
  Session& session = *find(e.peer);
  session.handle_established(now, e);
  rearm(now, session);
}

/// A connection that somebody began here and that never proved a key. `refused` is a dialler that changed its mind.
void Table::stranger_closed(Instant now, const quic::Closed& e) {
  if (e.local || e.application_code || e.error == event::ErrorType::refused) return;
  context_.out.emit(now, event::ConnectionFailed{e.peer, e.remote, e.error, e.detail});
}

/// For a peer that nobody listed. Configured peers are never refused for want of room.
std::optional<AdmissionRefusal> Table::make_room(Instant now, const PeerId& visitor) {
  const Session* known = find(visitor);
  if (known && !known->idle()) return std::nullopt;
  const auto up = std::ranges::count_if(sessions_, [](const auto& s) { return !s.second->idle(); });
  if (static_cast<std::size_t>(up) >= context_.membership.max_sessions) return AdmissionRefusal::session_limit;
  if (known) return std::nullopt;
  const Session* oldest = nullptr;
  std::size_t visitors = 0;
  for (const auto& [id, session] : sessions_) {
    if (session->method() != DiscoveryMethod::inbound) continue;
    ++visitors;
    if (session->idle() && !session->held() && (!oldest || session->state_since() < oldest->state_since()))
      oldest = session.get();
  }
  if (visitors < kMaxVisitors) return std::nullopt;
  if (!oldest) return AdmissionRefusal::session_limit;
  forget(now, PeerId{oldest->id()});
  return std::nullopt;
}

/// To its session, if it has one.
template <class Call>
void Table::tell(Instant now, const PeerId& peer, Call call) {
  Session* session = find(peer);
  if (!session) return;
  call(*session);
  rearm(now, *session);
}

void Table::handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses) {
  const auto asker = context_.lookups.find(id);
  if (asker == context_.lookups.end()) return;
  const PeerId peer = asker->second;
  context_.lookups.erase(asker);
  tell(now, peer, [&](Session& s) { s.handle_resolved(now, id, addresses); });
}

void Table::handle_channel(Instant now, const PeerId& peer, Via via) {
  Session* session = find(peer);
  if (!session) return context_.out.channel_wishes.push_back(ReleaseChannel{via});
  session->handle_channel(now, via);
  rearm(now, *session);
}

void Table::handle_no_channel(Instant now, const PeerId& peer, const NoChannel& answer) {
  tell(now, peer, [&](Session& s) { s.handle_no_channel(now, answer); });
}

void Table::handle_channel_lost(Instant now, const PeerId& peer, Via via) {
  tell(now, peer, [&](Session& s) { s.handle_channel_lost(now, via); });
}

void Table::handle_channel_moved(Instant now, const PeerId& peer, Via via) {
  tell(now, peer, [&](Session& s) { s.handle_channel_moved(now, via); });
}

void Table::handle_present(Instant now, const PeerId& peer) {
  Session* session = find(peer);
  if (!session && !discover(now, peer)) return;
  if (!session) session = find(peer);
  if (const auto there = there_.find(peer); there != there_.end()) there->second = now;
  session->handle_present(now);
  rearm(now, *session);
}

bool Table::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  const auto owner = context_.sockets.owner(via);
  if (!owner) return false;
  if (!bound) context_.sockets.remove(via);
  Session* session = find(*owner);
  PW_CHECK(session != nullptr);  // no socket outlives its session
  session->handle_socket(now, via, bound);
  rearm(now, *session);
  return true;
}

bool Table::handle_stun(Instant now, const PathAddress& from, const wire::stun::Message& message) {
  const auto owner = context_.sockets.owner(from.via);
  if (!owner) return false;
  Session* session = find(*owner);
  PW_CHECK(session != nullptr);
  const bool taken = session->handle_stun(now, from, message);
  rearm(now, *session);
  return taken;
}

void Table::handle_timeout(Instant now) {
  while (const PeerId* due = deadlines_.due(now)) {
    const PeerId id = *due;
    Session& session = *sessions_.at(id);
    if (forget_at(session) <= now) {
      forget(now, id);
      continue;
    }
    session.handle_timeout(now);
    rearm(now, session);
    // A deadline that did not move would hold this loop for ever: its session gets its next turn a little later.
    const auto again = sessions_.find(id);
    if (again != sessions_.end() && again->second->next_timeout() <= now) deadlines_.set(id, now + 1ms);
  }
}

void Table::count(Instant now, quic::Handle connection, event::Direction direction, const PathAddress& path,
                  Carried what, std::size_t bytes, std::size_t packets) {
  if (Session* session = owner_of(connection)) session->count(now, direction, path, what, bytes, packets);
}

bool Table::handle_check(Instant now, const StunArrival& arrival) {
  const wire::stun::Message& m = arrival.decoded.message;
  const bool request = m.kind == wire::stun::Class::request;
  if (request && !m.username) return false;
  const auto tag = context_.tags.find(request ? *m.username : path::tag_of(m.transaction));
  if (tag == context_.tags.end()) return false;
  const quic::Handle connection = tag->second;
  Session* session = owner_of(connection);
  if (!session) return false;  // it has just ended
  // By the socket of another session it would be a path that ends with that one.
  const bool further = arrival.from.via != Via::own && !arrival.from.relayed();
  if (further && context_.sockets.owner(arrival.from.via) != session->id()) return false;
  session->count(now, event::Direction::inbound, arrival.from, Carried::check, arrival.bytes.size(), 1);
  session->handle_check(now, connection, arrival);
  rearm(now, *session);
  return true;
}

void Table::traffic_sent(Instant now, quic::Handle connection) {
  Session* session = owner_of(connection);
  if (!session) return;
  session->traffic_sent(now);
  rearm(now, *session);
}

void Table::node_was_late(Instant now, bool probe_all) {
  context_.starvation.mark(now);
  for (const auto& [id, session] : sessions_) {
    session->node_was_late(now);
    if (probe_all) session->probe_now(now);
    deadlines_.set(id, earlier(session->next_timeout(), forget_at(*session)));
  }
}

void Table::network_changed(Instant now, std::span<const IpAddress> own) {
  if (hasten_at_ <= now) hasten_at_ = std::max(now, hasten_at_ + kHastenPause);
  for (const auto& [id, session] : sessions_) {
    session->network_changed(now, own);
    session->redial_elsewhere(now, hasten_at_);
    deadlines_.set(id, earlier(session->next_timeout(), forget_at(*session)));
  }
}

void Table::whereabouts_changed(Instant now) {
  for (const auto& [id, session] : sessions_) {
    session->whereabouts_changed(now);
    deadlines_.set(id, earlier(session->next_timeout(), forget_at(*session)));
  }
}

std::vector<event::PeerSnapshot> Table::snapshot(Instant now) const {
  std::vector<const Session*> ordered;
  ordered.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) ordered.push_back(session.get());
  std::ranges::sort(ordered, {}, &Session::id);
  std::vector<event::PeerSnapshot> all;
  all.reserve(ordered.size());
  for (const Session* session : ordered) all.push_back(session->snapshot(now));
  return all;
}

}  // namespace pw::peer
