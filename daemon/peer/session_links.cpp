#include <algorithm>
#include <utility>

#include "peer/session.hpp"

namespace pw::peer {

using event::AdmissionRefusal;
using event::CloseReason;
using event::DialResult;
using event::ErrorType;
using event::SessionState;

namespace {

constexpr std::size_t kMaxSoftware = 32;

/// A version that a peer sent becomes a label only if it looks like one: [0-9A-Za-z.+~-]{1,32}.
std::string clean_software(const std::string& text) {
  const bool good = !text.empty() && text.size() <= kMaxSoftware && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '+' ||
           c == '~' || c == '-';
  });
  return good ? text : std::string{};
}

std::optional<AdmissionRefusal> refusal_of(const quic::Closed& e) {
  const auto first = static_cast<std::uint64_t>(CloseCode::refused);
  if (e.local || !e.application_code || *e.application_code < first) return std::nullopt;
  const std::uint64_t index = *e.application_code - first;
  if (index >= enum_count<AdmissionRefusal>()) return std::nullopt;
  return static_cast<AdmissionRefusal>(index);
}

bool closed_with(const quic::Closed& e, CloseCode code) {
  return e.application_code == static_cast<std::uint64_t>(code);
}

}  // namespace

Link* Session::find(quic::Handle handle) {
  if (active_ && active_->handle() == handle) return active_.get();
  const auto p = std::ranges::find_if(pending_, [&](const Pending& x) { return x.link->handle() == handle; });
  return p == pending_.end() ? nullptr : p->link.get();
}

std::unique_ptr<Link> Session::take(quic::Handle handle) {
  if (active_ && active_->handle() == handle) return std::move(active_);
  const auto p = std::ranges::find_if(pending_, [&](const Pending& x) { return x.link->handle() == handle; });
  if (p == pending_.end()) return nullptr;
  auto link = std::move(p->link);
  pending_.erase(p);
  return link;
}

/// What QUIC lost on a link outlives it.
void Session::keep_losses(Link& link) { datagrams_lost_before_ += link.new_losses(); }

void Session::close(Instant now, Link& link, CloseCode code, std::string_view why) {
  keep_losses(link);
  context_.endpoint.close(now, link.handle(), static_cast<std::uint64_t>(code), why);
}

// ---- in

void Session::handle_established(Instant now, const quic::Established& e) {
  if (e.dialled) {
    if (!dial_ || !dial_->owns(e.connection)) return;  // cancelled meanwhile; its close is on the way
    dial_->keep(now, e.connection);
    pending_.push_back({std::make_unique<Link>(context_, e, now, false), kNever});
    return;
  }
  if (held_ || removed_)
    return refuse(now, std::make_unique<Link>(context_, e, now, true),
                  held_ ? AdmissionRefusal::held : AdmissionRefusal::not_allowlisted);
  contact(now);
  redial_.noticed();
  const bool tie = (dial_ && context_.self < spec_.id) || (active_ && loses_tie(now, false));
  if (tie && active_) measurements_->probe_now(now);  // a peer that was started anew resets it, and is not kept waiting
  if (std::ranges::count_if(pending_, [](const Pending& p) { return !p.link->dialled(); }) >=
      static_cast<std::ptrdiff_t>(kMaxPendingLinks)) {
    const auto oldest = std::ranges::find_if(pending_, [](const Pending& p) { return !p.link->dialled(); });
    close(now, *oldest->link, CloseCode::replaced, "a newer connection came");
    pending_.erase(oldest);
  }
  pending_.push_back({std::make_unique<Link>(context_, e, now, tie), tie ? now + kTieHold : kNever});
}

void Session::handle(Instant now, const quic::StreamData& e) {
  if (leaving_ && leaving_->handle() == e.connection) return handle_leaving(now, e);
  if (Link* link = find(e.connection)) handle_link(now, e.received_at, e.connection, link->handle(e));
}

/// Both sides said goodbye at once: neither has to wait for the other's close.
void Session::handle_leaving(Instant now, const quic::StreamData& e) {
  for (const LinkEvent& event : leaving_->handle(e)) {
    const auto* control = std::get_if<LinkControl>(&event);
    if (!control || !std::holds_alternative<wire::Goodbye>(control->message)) continue;
    close(now, *leaving_, CloseCode::done, "goodbye");
    return left(now);
  }
}

void Session::handle(Instant now, const quic::StreamReset& e) {
  if (Link* link = find(e.connection)) handle_link(now, now, e.connection, link->handle_reset(e.stream));
}

void Session::handle(Instant now, const quic::StreamDrained& e) {
  if (!bandwidth_ || !active_ || active_->handle() != e.connection) return;
  bandwidth_->handle_drained(now, e.stream);
  keep_estimates();
}

void Session::handle_check(Instant now, quic::Handle connection, const StunArrival& arrival) {
  if (active_ && active_->handle() == connection) {
    measurements_->handle_check(now, arrival);
    traverse(now);
  } else if (Link* link = find(connection)) {
    link->keep_early(arrival);
  }
}

void Session::handle_link(Instant now, Instant received_at, quic::Handle handle, std::vector<LinkEvent> events) {
  for (LinkEvent& event : events) {
    Link* link = find(handle);  // an earlier event may have ended it
    if (!link) return;
    const bool active = link == active_.get();
    if (const auto* admitted = std::get_if<LinkAdmitted>(&event)) {
      handle_admitted(now, *link, admitted->hello);
    } else if (const auto* introduced = std::get_if<LinkIntroduced>(&event)) {
      handle_introduced(now, received_at, *link, introduced->hello);
    } else if (const auto* refused = std::get_if<LinkRefused>(&event)) {
      refuse(now, take(handle), refused->reason);
    } else if (const auto* broken = std::get_if<LinkBroken>(&event)) {
      break_off(now, take(handle), CloseCode::protocol, ErrorType::protocol, broken->detail);
    } else if (!active) {
      continue;
    } else if (const auto* control = std::get_if<LinkControl>(&event)) {
      handle_control(now, control->message);
    } else if (const auto* echo = std::get_if<LinkEcho>(&event)) {
      measurements_->handle_echo(now, received_at, echo->frame, *link);
    } else if (const auto* bulk = std::get_if<LinkBulk>(&event)) {
      handle_bulk(now, *bulk);
    }
  }
}

void Session::handle_control(Instant now, const wire::ControlMessage& message) {
  if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) return handle_goodbye(now, goodbye->reason);
  if (const auto* request = std::get_if<wire::BandwidthRequest>(&message))
    return handle_bandwidth_request(now, *request);
  if (const auto* candidates = std::get_if<wire::Candidates>(&message)) {
    traversal_->handle(now, *candidates);
    return traverse(now);
  }
  if (const auto* punch = std::get_if<wire::Punch>(&message)) {
    traversal_->handle(now, *punch);
    return traverse(now);
  }
  if (!bandwidth_) return;
  bandwidth_->handle(now, message, *active_);
  keep_estimates();
}

void Session::handle_bulk(Instant now, const LinkBulk& bulk) {
  if (!bandwidth_) {  // the measurement is over: so is its stream, once the peer has ended its direction
    if (bulk.fin) context_.endpoint.write_stream(active_->handle(), bulk.stream, {}, true);
    return;
  }
  bandwidth_->handle_bulk(now, bulk, *active_);
  keep_estimates();
}

void Session::handle_bandwidth_request(Instant now, const wire::BandwidthRequest& request) {
  if (bandwidth_ || context_.bandwidth_busy) {
    active_->send(wire::BandwidthAnswer{request.id, wire::BandwidthVerdict::busy, 0});
  } else if (context_.bandwidth_quota.left(now) == 0) {
    active_->send(wire::BandwidthAnswer{request.id, wire::BandwidthVerdict::quota, 0});
  } else {
    context_.bandwidth_busy = true;
    bandwidth_.emplace(context_, spec_.id, now, request, *active_);
  }
}

void Session::handle_goodbye(Instant now, wire::GoodbyeReason reason) {
  const bool stops = reason == wire::GoodbyeReason::shutdown || reason == wire::GoodbyeReason::unspecified;
  leaving_ = std::move(active_);
  last_seen_ = now;
  close(now, *leaving_, CloseCode::done, "goodbye");
  end_session(now, stops ? CloseReason::peer_shutdown : CloseReason::peer_request, {}, SessionState::disconnecting);
  schedule(now);
}

// ---- admission

/// Who dials has no session: if ours is older than dials that crossed, or has no live path, the peer lost it.
bool Session::loses_tie(Instant now, bool dialled) const {
  if (now - active_->since() > kTie || measurements_->dead_since()) return false;
  if (active_->dialled() == dialled) return false;  // the same side dialled anew: it lost the older one
  const bool ours_wins = context_.self < spec_.id;
  return dialled != ours_wins;
}

/// Unanswered, its dial is one that was not needed; an answer would make it a session over there, which then ends ours.
void Session::handle_introduced(Instant now, Instant received_at, Link& link, const wire::Hello& hello) {
  if (!active_) return;  // our own dial is under way
  if (instance_ != hello.instance || !loses_tie(now, link.dialled()))
    return handle_link(now, received_at, link.handle(), link.release());
  const auto loser = take(link.handle());
  close(now, *loser, CloseCode::duplicate, "the other connection is kept");
}

void Session::handle_admitted(Instant now, Link& link, const wire::Hello& hello) {
  if (link.outdated()) return refuse(now, take(link.handle()), AdmissionRefusal::wrong_secret);
  const bool known = instance_ == hello.instance;
  if (!known && std::ranges::find(former_instances_, hello.instance) != former_instances_.end()) {
    context_.out.emit(now, event::DuplicateIdentity{spec_.id, link.path().remote});
    // The newer one keeps the session; where it is gone, the older is not locked out for good.
    if (active_) return refuse(now, take(link.handle()), AdmissionRefusal::duplicate_identity);
  }
  if (active_ && known && loses_tie(now, link.dialled())) {
    if (link.dialled()) return cancel_dial(now);
    const auto loser = take(link.handle());
    return close(now, *loser, CloseCode::duplicate, "the other connection is kept");
  }
  activate(now, take(link.handle()));
}

void Session::remember(const wire::Hello& hello, bool& restarted) {
  restarted = instance_ && *instance_ != hello.instance;
  if (restarted) {
    former_instances_.push_back(*instance_);
    if (former_instances_.size() > kMaxFormerInstances) former_instances_.erase(former_instances_.begin());
  }
  instance_ = hello.instance;
  software_ = clean_software(hello.software);
}

void Session::activate(Instant now, std::unique_ptr<Link> link) {
  bool restarted = false;
  redial_.reached(now);
  remember(link->hello(), restarted);
  release_channels(link.get());
  release_sockets();
  std::vector<PathAddress> direct;  // that a relay was quicker than: they may answer yet
  if (dial_ && link->path().relayed()) direct = dial_->candidates();
  if (dial_ && dial_->owns(link->handle())) {
    dial_->forget(link->handle());
    if (link->path().relayed()) channels_.push_back(link->path().via);
    dial_->let_go(link->path().via);
    end_dial(now, DialResult::success, ErrorType::unknown, {});
  } else {
    cancel_dial(now);
  }
  for (Pending& p : std::exchange(pending_, {}))
    close(now, *p.link, CloseCode::duplicate, "the other connection is kept");
  if (active_) {
    close(now, *active_, CloseCode::replaced, restarted ? "a newer instance came" : "a newer connection came");
    active_.reset();
    if (restarted) {
      end_session(now, CloseReason::replaced, "the peer restarted", SessionState::disconnecting);
      state_.move(now, SessionState::disconnected);
    }
  }
  if (leaving_) {
    close(now, *leaving_, CloseCode::done, "goodbye");
    left(now);
  }
  const Instant since = contact_since_.value_or(link->since());
  contact(now);
  active_ = std::move(link);
  last_seen_ = now;
  const auto path_before = measurements_ ? measurements_->kind() : event::PathKind::none;
  const PathAddress address_before = measurements_ ? measurements_->address() : PathAddress{};
  if (measurements_) measurements_->forget_paths(now);
  drop_measurements(now);
  measurements_.emplace(context_, spec_.id, *active_, now);
  traversal_.emplace(context_, spec_.id, traversal_budget_);
  if (!state_.is(SessionState::connected)) {
    connected_since_ = now;
    state_.move(now, SessionState::connected);
    context_.out.emit(now, event::SessionEstablished{spec_.id, active_->dialled(), now - since, measurements_->kind(),
                                                     measurements_->address()});
  } else {
    measurements_->introduce_path(now);
    const PathAddress address = measurements_->address();
    const auto why = path_before == event::PathKind::none ? event::PathChangeReason::upgraded
                                                          : event::PathChangeReason::network_change;
    if (path_before != measurements_->kind() || address_before != address)
      context_.out.emit(now, event::PathChanged{spec_.id, path_before, measurements_->kind(), why, address});
  }
  contact_since_.reset();
  for (const PathAddress& address : direct) measurements_->add_path(now, address);
  for (const Link::EarlyCheck& early : active_->take_early())
    if (const auto decoded = wire::stun::decode(early.bytes))
      measurements_->handle_check(now, {early.at, early.from, early.bytes, *decoded});
  context_.out.emit(now, event::PeerIdentified{spec_.id, *instance_, software_, restarted});
  traverse(now);
}

void Session::refuse(Instant now, std::unique_ptr<Link> link, AdmissionRefusal reason) {
  const auto code =
      static_cast<CloseCode>(static_cast<std::uint64_t>(CloseCode::refused) + static_cast<std::uint64_t>(reason));
  context_.out.emit(now, event::AdmissionRefused{spec_.id, link->path().remote, reason, false});
  break_off(now, std::move(link), code, ErrorType::admission, "refused here: " + std::string{name(reason)});
}

void Session::break_off(Instant now, std::unique_ptr<Link> link, CloseCode code, ErrorType error,
                        const std::string& why) {
  close(now, *link, code, why);
  const SocketAddress remote = link->path().remote;
  if (dial_ && dial_->owns(link->handle())) return dial_failed(now, error, why, remote);
  failed(now, error, why, remote);
  if (link->admitted() && !active_ && state_.is(SessionState::connected)) {
    end_session(now, error == ErrorType::protocol ? CloseReason::protocol : CloseReason::error, why,
                SessionState::failed);
    return schedule(now);
  }
  link_gone(now);
}

// ---- out

void Session::handle(Instant now, const quic::Closed& e) {
  if (leaving_ && leaving_->handle() == e.connection) {
    keep_losses(*leaving_);
    return left(now);
  }
  const auto link = take(e.connection);
  if (link) keep_losses(*link);
  if (link && !active_ && connected_since_ && link->admitted()) return active_closed(now, *link, e);
  const bool ours = dial_ && dial_->owns(e.connection);
  if (link || ours) attempt_closed(now, ours, link ? link->path().remote : dial_->remote(), e);
}

void Session::active_closed(Instant now, const Link& link, const quic::Closed& e) {
  if (closed_with(e, CloseCode::done)) {
    end_session(now, CloseReason::peer_shutdown, e.detail, SessionState::disconnecting);
    left(now);
    return schedule(now);
  }
  if (const auto reason = refusal_of(e)) {
    context_.out.emit(now, event::AdmissionRefused{spec_.id, link.path().remote, *reason, true});
    failed(now, ErrorType::admission, "refused by the peer: " + std::string{name(*reason)}, link.path().remote);
    end_session(now, CloseReason::peer_request, e.detail, SessionState::failed);
    return schedule(now);
  }
  failed(now, e.error, e.detail, link.path().remote);
  CloseReason reason = CloseReason::error;
  if (e.error == ErrorType::timeout || closed_with(e, CloseCode::timeout)) reason = CloseReason::timeout;
  if (e.error == ErrorType::reset) reason = CloseReason::reset;
  if (e.error == ErrorType::protocol) reason = CloseReason::protocol;
  end_session(now, reason, e.detail, SessionState::failed);
  schedule(now);
  if (!pending_.empty()) contact(now);
}

/// A dial, or a link that was not admitted yet.
void Session::attempt_closed(Instant now, bool ours, const SocketAddress& remote, const quic::Closed& e) {
  if (closed_with(e, CloseCode::duplicate)) {  // the tie's loser, told by the winner
    if (ours) end_dial(now, DialResult::cancelled, ErrorType::unknown, {});
    return link_gone(now);
  }
  ErrorType error = e.error;
  std::string detail = e.detail;
  if (const auto reason = refusal_of(e)) {
    error = ErrorType::admission;
    detail = "refused by the peer: " + std::string{name(*reason)};
    context_.out.emit(now, event::AdmissionRefused{spec_.id, remote, *reason, true});
  } else if (closed_with(e, CloseCode::done)) {
    error = ErrorType::refused;
    detail = "the peer is stopping";
  }
  if (ours) dial_->forget(e.connection);
  // Somebody answered who may not be the peer: where its address is used by another, or by who only says so.
  const bool refuses = error == ErrorType::refused || error == ErrorType::protocol;
  const bool stranger = error == ErrorType::tls || (refuses && !e.peer);
  if (ours && stranger && dial_->go_on_without(now, e.remote)) return failed(now, error, detail, e.remote);
  // Another way may still lead to the peer; unless it answered, and does not want us.
  const bool answered = error == ErrorType::admission || (refuses && e.peer);
  if (ours && !answered && !dial_->failed()) return dial_->note(error, detail);
  if (ours) return dial_failed(now, error, std::move(detail), remote);
  failed(now, error, detail, remote);
  link_gone(now);
}

/// After a link or dial ended without becoming the session's: what is left to hope for?
void Session::link_gone(Instant now) {
  if (!state_.is(SessionState::connecting) || dial_ || !pending_.empty()) return;
  state_.move(now, SessionState::failed);
  if (!redial_.at()) schedule(now);
}

}  // namespace pw::peer
