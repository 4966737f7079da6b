#include "service/server.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"

namespace pw::service {

using wire::service::ChannelEnd;
using wire::service::Message;
using wire::service::Refusal;
using wire::service::Request;
using wire::service::Services;

namespace {

/// Answers that a client has not taken yet: two of the largest kind. One that asks and never reads is closed.
constexpr std::size_t kMaxUnread = 128 << 10;

}  // namespace

Server::Server(ServerOptions options, quic::Endpoint& endpoint, const PeerId& self, Rng rng)
    : options_{options},
      endpoint_{endpoint},
      self_{self},
      rng_{std::move(rng)},
      registry_{options.max_entries, options.max_lifetime},
      forwarder_{options.total_bytes_per_second},
      all_checks_{options.total_checks_per_second, options.total_checks_per_second} {}

// ---- clients come and go

void Server::configure(Instant now, Admission admission) {
  admission_ = std::move(admission);
  std::vector<quic::Handle> out;
  for (const auto& [handle, c] : clients_)
    if (c->stage == Stage::greeting ? !may_try(admission_, c->peer)
                                    : !admits(admission_, c->peer, self_, endpoint_.exporter(handle), c->proof))
      out.push_back(handle);
  for (const quic::Handle handle : out) dismiss(now, handle, CloseCode::not_admitted, "no longer admitted");
}

void Server::shutdown(Instant now) {
  while (!clients_.empty()) dismiss(now, clients_.begin()->first, CloseCode::done, "the service stops");
}

Server::Client* Server::find(quic::Handle handle) {
  const auto found = clients_.find(handle);
  return found == clients_.end() ? nullptr : found->second.get();
}

bool Server::serves(Via via) const {
  return std::ranges::any_of(clients_, [via](const auto& c) { return c.second->via == via; });
}

Server::Client* Server::find(const PeerId& peer) {
  const auto found = present_.find(peer);
  return found == present_.end() ? nullptr : find(found->second);
}

bool Server::handle(Instant now, const quic::Event& event) {
  if (const auto* e = std::get_if<quic::Established>(&event)) {
    if (e->dialled || e->protocol != quic::Protocol::service) return false;
    on(now, *e);
    return true;
  }
  const quic::Handle handle = std::visit([](const auto& e) { return e.connection; }, event);
  Client* c = find(handle);
  if (c == nullptr) return false;
  if (const auto* data = std::get_if<quic::StreamData>(&event)) {
    on(now, *c, *data);
  } else if (const auto* datagram = std::get_if<quic::DatagramReceived>(&event)) {
    Client* heir = c->stage == Stage::left ? find(c->heir) : nullptr;
    on(now, heir != nullptr ? *heir : *c, *datagram);
  } else if (const auto* reset = std::get_if<quic::StreamReset>(&event)) {
    if (c->control == reset->stream) dismiss(now, handle, CloseCode::protocol, "the control stream was reset");
  } else if (std::holds_alternative<quic::Closed>(event)) {
    forget(now, handle);
  }
  return true;
}

void Server::on(Instant now, const quic::Established& e) {
  const bool known = may_try(admission_, e.peer);
  if (!known) {
    ++stats_.clients_refused;
    endpoint_.close(now, e.connection, static_cast<std::uint64_t>(CloseCode::not_admitted), "not admitted");
    leave_pipe(e.path.via);
    return;
  }
  make_room(now);
  clients_.emplace(e.connection, std::make_unique<Client>(e, now, options_));
  deadlines_.set(e.connection, now + options_.admission_timeout);
}

/// Among those who are not admitted yet.
void Server::make_room(Instant now) {
  if (clients_.size() - present_.size() < options_.max_greeting) return;
  const Client* oldest = nullptr;
  for (const auto& [handle, c] : clients_)
    if (c->stage != Stage::admitted && (oldest == nullptr || c->since < oldest->since)) oldest = c.get();
  stats_.clients_refused += oldest->stage == Stage::left ? 0 : 1;
  dismiss(now, oldest->handle, CloseCode::full, "too many connections that are not admitted yet");
}

void Server::dismiss(Instant now, quic::Handle handle, CloseCode code, std::string_view reason) {
  endpoint_.close(now, handle, static_cast<std::uint64_t>(code), reason);
  forget(now, handle);
}

void Server::forget(Instant now, quic::Handle handle) {
  const auto found = clients_.find(handle);
  if (found == clients_.end()) return;
  const std::unique_ptr<Client> c = std::move(found->second);
  clients_.erase(found);
  deadlines_.clear(handle);
  while (!c->channels.empty()) close_channel(now, *c, c->channels.begin()->first, ChannelEnd::peer_gone, false);
  leave_pipe(c->via);
  const auto here = present_.find(c->peer);
  if (here == present_.end() || here->second != handle) return;
  present_.erase(here);
  tell_mesh(now, c->peer, c->tags, wire::service::PeerGone{c->peer});
}

void Server::leave_pipe(Via via) {
  if (via != Via::own && !serves(via)) left_pipes_.push_back(via);
}

void Server::handle_pipe_closed(Instant now, Via via) {
  std::vector<quic::Handle> gone;
  for (const auto& [handle, c] : clients_)
    if (c->via == via) gone.push_back(handle);
  for (const quic::Handle handle : gone) dismiss(now, handle, CloseCode::done, "the pipe closed");
}

// ---- the control stream

void Server::send(Instant now, Client& c, const Message& message) {
  if (!c.control) return;
  if (endpoint_.pending(c.handle, *c.control) > kMaxUnread ||
      !endpoint_.write_stream(c.handle, *c.control, wire::service::encode(message)))
    deadlines_.set(c.handle, now);  // closed at the next turn: whoever called still holds it
}

void Server::on(Instant now, Client& c, const quic::StreamData& e) {
  if (!e.bytes.empty()) endpoint_.consume(c.handle, e.stream, e.bytes.size());
  const quic::Handle handle = c.handle;
  if (c.control && c.control != e.stream) return dismiss(now, handle, CloseCode::protocol, "a second stream");
  c.control = e.stream;
  c.reader.feed(e.bytes);
  while (find(handle) != nullptr) {
    const auto message = c.reader.next();
    if (!message) break;
    if (!*message) return dismiss(now, handle, CloseCode::protocol, message->error().detail);
    read(now, c, **message);
  }
  if (e.fin && find(handle) != nullptr) dismiss(now, handle, CloseCode::done, "the control stream was ended");
}

void Server::read(Instant now, Client& c, const Message& message) {
  if (c.stage == Stage::left) return;  // what it still says there was said before it went over
  if (const auto* m = std::get_if<wire::service::Hello>(&message)) return hello(now, c, *m);
  if (c.stage == Stage::greeting) return dismiss(now, c.handle, CloseCode::protocol, "a message before Hello");
  if (const auto* m = std::get_if<wire::service::Confirm>(&message)) return confirm(now, c, *m);
  if (c.stage == Stage::welcomed) return dismiss(now, c.handle, CloseCode::protocol, "a message before Confirm");
  if (const auto* m = std::get_if<wire::service::ChannelClosed>(&message))
    return close_channel(now, c, m->channel, ChannelEnd::closed, false);
  const bool in_time = c.requests.take(now);
  if (const auto* observe = std::get_if<wire::service::Observe>(&message)) {
    count(ServedRequest::observe, in_time);
    if (in_time) send(now, c, wire::service::Observed{observe->request, c.observed});
  } else if (const auto* enrolment = std::get_if<wire::service::Register>(&message)) {
    if (!in_time) return refuse(now, c, Request::registration, Refusal::rate, enrolment->request);
    enrol(now, c, *enrolment);
  } else if (const auto* lookup = std::get_if<wire::service::Lookup>(&message)) {
    if (!in_time) return refuse(now, c, Request::lookup, Refusal::rate, lookup->request);
    look_up(now, c, *lookup);
  } else if (const auto* open = std::get_if<wire::service::OpenChannel>(&message)) {
    if (!in_time) return refuse(now, c, Request::open_channel, Refusal::rate, open->channel);
    open_channel(now, c, *open);
  } else if (const auto* check = std::get_if<wire::service::CheckMapping>(&message)) {
    if (!in_time) return refuse(now, c, Request::check_mapping, Refusal::rate, check->number);
    check_mapping(now, c, *check);
  } else {
    ++stats_.unknown_messages;  // of a later version, or what only servers say
  }
}

void Server::hello(Instant now, Client& c, const wire::service::Hello& m) {
  if (c.stage != Stage::greeting) return dismiss(now, c.handle, CloseCode::protocol, "a second Hello");
  if (m.version_min > wire::service::kVersion || m.version_max < wire::service::kVersion)
    return turn_away(now, c, Refusal::version, CloseCode::protocol);
  if (!admits(admission_, c.peer, self_, endpoint_.exporter(c.handle), m.proof))
    return turn_away(now, c, Refusal::not_admitted, CloseCode::not_admitted);
  Services offered = Services::none;
  if (options_.bootstrap) offered = offered | Services::bootstrap | Services::carriage;
  if (options_.relay) offered = offered | Services::relay;
  if (!any(m.services & offered)) return turn_away(now, c, Refusal::not_offered, CloseCode::not_offered);
  if (full_for(c.peer)) return turn_away(now, c, Refusal::full, CloseCode::full);
  c.stage = Stage::welcomed;
  c.proof = m.proof;
  c.tags = m.mesh_tags;
  c.notify = m.notify;
  c.resume = m.resume;
  rng_.fill(c.challenge);
  deadlines_.set(c.handle, now + options_.admission_timeout);
  wire::service::Welcome welcome;
  welcome.services = c.services = m.services & offered;
  welcome.observed = c.observed;
  welcome.challenge = c.challenge;
  welcome.max_channels = static_cast<std::uint32_t>(options_.max_channels);
  welcome.bytes_per_second = static_cast<std::uint64_t>(options_.bytes_per_second);
  welcome.pair_bytes = caps_pairs() ? options_.pair_bytes : 0;
  welcome.max_lifetime_s =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(options_.max_lifetime).count());
  send(now, c, welcome);
}

void Server::turn_away(Instant now, Client& c, Refusal reason, CloseCode code) {
  ++stats_.clients_refused;
  send(now, c, wire::service::Refused{Request::hello, reason, 0});
  dismiss(now, c.handle, code, to_string(reason));
}

/// What it says back was sent to where it is seen, and nowhere else.
void Server::confirm(Instant now, Client& c, const wire::service::Confirm& m) {
  if (c.stage != Stage::welcomed) return dismiss(now, c.handle, CloseCode::protocol, "a second Confirm");
  if (!equal_secret(m.challenge, c.challenge))
    return dismiss(now, c.handle, CloseCode::protocol, "another challenge than was sent");
  if (full_for(c.peer)) return turn_away(now, c, Refusal::full, CloseCode::full);  // others were quicker
  // TLS proved that it is the same node, which has lost its other connection, or leaves it.
  Client* const former = find(c.peer);
  const bool resumes = former != nullptr && c.resume && (former->services & c.services) == former->services;
  wire::service::Resumed resumed;
  if (resumes)
    resumed.channels = take_over(now, c, *former);
  else if (former != nullptr)
    dismiss(now, former->handle, CloseCode::replaced, "replaced by another connection");
  c.stage = Stage::admitted;
  deadlines_.clear(c.handle);
  present_[c.peer] = c.handle;
  if (c.observed) registry_.observe(c.peer, *c.observed);
  if (c.resume) send(now, c, resumed);
  for (const auto& [number, end] : c.channels) {  // it may not have heard of some
    const Client& other = *find(end.other);
    send(now, c, wire::service::ChannelOpened{number, other.peer});
    tell_observed(now, c, number, other);
  }
  if (!resumes && registry_.find(c.peer) != nullptr)
    tell_mesh(now, c.peer, c.tags, wire::service::PeerPresent{c.peer});
}

void Server::refuse(Instant now, Client& c, Request what, Refusal reason, std::uint32_t number) {
  if (what == Request::registration) count(ServedRequest::enrol, false);
  if (what == Request::lookup) count(ServedRequest::lookup, false);
  if (what == Request::open_channel) count(ServedRequest::coordinate, false);
  if (what == Request::check_mapping) count(ServedRequest::observe, false);
  send(now, c, wire::service::Refused{what, reason, number});
}

/// Nobody but the client itself can be meant by an address that packets of the client come from; ports of a NAT that it
/// shares with others get one small packet.
void Server::check_mapping(Instant now, Client& c, const wire::service::CheckMapping& m) {
  const auto refused = [&](Refusal reason) { refuse(now, c, Request::check_mapping, reason, m.number); };
  if (!any(c.services & Services::bootstrap) || !knocks_offered_) return refused(Refusal::not_offered);
  if (!c.observed || m.address.ip != c.observed->ip || m.address.port == 0) return refused(Refusal::not_observed);
  if (!c.checks.take(now) || !all_checks_.take(now)) return refused(Refusal::rate);
  count(ServedRequest::observe, true);
  knocks_.push_back({m.address, m.transaction});
  send(now, c, wire::service::MappingChecked{m.number});
}

std::optional<Knock> Server::poll_knock() {
  return taken(knocks_);
}

std::optional<Via> Server::poll_left_pipe() { return taken(left_pipes_); }

void Server::count(ServedRequest request, bool success) {
  auto& served = stats_.requests[static_cast<std::size_t>(request)];
  ++(success ? served.success : served.refused);
}

// ---- the registry

void Server::enrol(Instant now, Client& c, const wire::service::Register& m) {
  if (!any(c.services & Services::bootstrap))
    return refuse(now, c, Request::registration, Refusal::not_offered, m.request);
  const auto outcome = registry_.add(now, c.peer, m.record, c.tags, c.observed);
  if (outcome.refused) return refuse(now, c, Request::registration, *outcome.refused, m.request);
  count(ServedRequest::enrol, true);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(outcome.lifetime).count();
  send(now, c, wire::service::Registered{m.request, static_cast<std::uint32_t>(seconds)});
  if (outcome.fresh) tell_mesh(now, c.peer, c.tags, wire::service::PeerPresent{c.peer});
}

wire::service::Found::Entry Server::entry_of(Instant now, const PeerId& peer, const Registration& r) const {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - r.at).count();
  std::vector<SocketAddress> observed;
  if (r.observed) observed.push_back(*r.observed);
  return {r.record, std::move(observed), static_cast<std::uint32_t>(age), present_.contains(peer)};
}

void Server::look_up(Instant now, Client& c, const wire::service::Lookup& m) {
  if (!any(c.services & Services::bootstrap)) return refuse(now, c, Request::lookup, Refusal::not_offered, m.request);
  wire::service::Found found;
  found.request = m.request;
  const std::vector<PeerId> whom =
      m.peer ? std::vector{*m.peer} : registry_.of_mesh(c.tags, m.after, wire::service::kMaxFound, found.more);
  for (const PeerId& peer : whom)
    if (const Registration* r = registry_.find(peer); r != nullptr && share_a_tag(r->tags, c.tags))
      found.entries.push_back(entry_of(now, peer, *r));
  count(ServedRequest::lookup, true);
  send(now, c, found);
}

void Server::tell_mesh(Instant now, const PeerId& about, const std::vector<Digest>& tags, const Message& message) {
  for (const auto& [handle, c] : clients_)
    if (c->stage == Stage::admitted && c->notify && c->peer != about && share_a_tag(c->tags, tags) && c->notices.take(now))
      send(now, *c, message);
}

// ---- time

void Server::handle_timeout(Instant now) {
  while (const auto gone = registry_.expire(now))
    if (present_.contains(gone->first)) tell_mesh(now, gone->first, gone->second, wire::service::PeerGone{gone->first});
  while (const quic::Handle* due = deadlines_.due(now)) {
    const quic::Handle handle = *due;
    expire(now, *find(handle));
  }
  if (next_forward_ <= now) forward(now);
}

void Server::expire(Instant now, const Client& c) {
  switch (c.stage) {
    case Stage::greeting:
      ++stats_.clients_refused;
      return dismiss(now, c.handle, CloseCode::not_admitted, "no Hello in time");
    case Stage::welcomed:
      ++stats_.clients_refused;
      return dismiss(now, c.handle, CloseCode::not_admitted, "no Confirm in time");
    case Stage::admitted:
      return dismiss(now, c.handle, CloseCode::protocol, "answers are not read");
    case Stage::left:
      return dismiss(now, c.handle, CloseCode::replaced, "its channels went over to another connection");
  }
}

Instant Server::poll_timeout() const {
  return earlier(earlier(registry_.poll_timeout(), next_forward_), deadlines_.earliest());
}

ServerStats Server::stats() const {
  ServerStats s = stats_;
  s.entries = registry_.size();
  for (const auto& [peer, handle] : present_) ++s.clients[static_cast<std::size_t>(clients_.at(handle)->transport)];
  s.channels = channels_;
  return s;
}

}  // namespace pw::service
