#include "peer/session.hpp"

#include <algorithm>
#include <utility>

namespace pw::peer {

using event::CloseReason;
using event::DialResult;
using event::ErrorType;
using event::SessionState;

namespace {
constexpr Duration kDialPostponed = 100ms;  // while all peers' dials use up their common budget

/// Whether who failed so is the peer, unless something else is known.
bool blames_peer(ErrorType error) {
  switch (error) {
    case ErrorType::timeout:
    case ErrorType::refused:
    case ErrorType::reset:
    case ErrorType::tls:
    case ErrorType::protocol:
    case ErrorType::admission:
    case ErrorType::path_validation:
      return true;
    case ErrorType::dns:  // whose resolver does not answer tells nothing of the peer
    case ErrorType::resource_exhausted:
    case ErrorType::unknown:
      return false;
  }
  return false;
}
}

Session::Session(Context& context, event::PeerSpec spec, event::DiscoveryMethod method, Instant now)
    : context_{context},
      spec_{std::move(spec)},
      method_{method},
      state_{context.out, spec_.id, now},
      redial_{context, spec_.id} {
  context_.out.emit(now, event::PeerAdded{spec_.id, method_});
  if (dialable()) redial_.at_once(now);
}

// ---- commands

void Session::update(const event::PeerSpec& spec, event::DiscoveryMethod method, Instant now) {
  const bool back = std::exchange(removed_, false);
  const bool new_addresses = spec.addresses != spec_.addresses;
  spec_ = spec;
  method_ = method;
  if (!dialable()) redial_.stop();
  if ((new_addresses || back) && !active_ && !dial_ && !held_ && dialable()) redial_.at_once(now);
}

void Session::connect(Instant now) {
  held_ = false;
  redial_.calm();
  if (!active_ && !dial_ && dialable()) redial_.at_once(now);
}

void Session::hold(Instant now) {
  held_ = true;
  leave(now, wire::GoodbyeReason::operator_request);
}

void Session::remove(Instant now) {
  removed_ = true;
  leave(now, wire::GoodbyeReason::removed);
}

void Session::ping(Instant now, event::Ticket ticket, std::uint32_t size) {
  if (!active_)
    return context_.out.fail(ticket, event::CommandError::not_connected, "there is no session with this peer");
  measurements_->ping(now, ticket, size, *active_);
}

void Session::measure_bandwidth(Instant now, event::Ticket ticket, std::uint64_t bytes, Duration duration) {
  if (!active_)
    return context_.out.fail(ticket, event::CommandError::not_connected, "there is no session with this peer");
  if (context_.bandwidth_busy)
    return context_.out.fail(ticket, event::CommandError::busy, "another bandwidth measurement runs on this node");
  if (bytes == 0 || duration <= Duration{})
    return context_.out.fail(ticket, event::CommandError::invalid, "bytes and duration must be positive");
  context_.bandwidth_busy = true;
  bandwidth_.emplace(context_, spec_.id, now, ticket, bytes, duration, *active_);
  keep_estimates();
}

void Session::leave(Instant now, wire::GoodbyeReason why) {
  redial_.stop();
  contact_since_.reset();
  cancel_dial(now);
  for (Pending& p : std::exchange(pending_, {})) close(now, *p.link, CloseCode::done, "leaving");
  switch (state_.get()) {
    case SessionState::connected: {
      const bool said = active_->send(wire::Goodbye{why});
      leaving_ = std::move(active_);
      keep_losses(*leaving_);
      leave_deadline_ = said ? now + context_.options.goodbye_timeout : now;
      const CloseReason reason = why == wire::GoodbyeReason::shutdown           ? CloseReason::local_shutdown
                                 : why == wire::GoodbyeReason::operator_request ? CloseReason::operator_request
                                                                                : CloseReason::peer_removed;
      end_session(now, reason, {}, SessionState::disconnecting);
      break;
    }
    case SessionState::connecting:
      state_.move(now, SessionState::disconnecting);
      state_.move(now, SessionState::disconnected);
      break;
    case SessionState::failed:
      state_.move(now, SessionState::disconnected);
      break;
    case SessionState::disconnected:
    case SessionState::disconnecting:
      break;
  }
}

void Session::membership_changed(Instant now) {
  if (measurements_) measurements_->set_intervals(now, context_.membership.probe);
  // The first servers were configured.
  if (dialable() && idle() && !redial_.at() && !held_ && !removed_) redial_.at_once(now);
  // What admitted it is gone. It may come back with what is in force.
  if (!active_ || !active_->outdated()) return;
  leave(now, wire::GoodbyeReason::removed);
  schedule(now);
}

// ---- dialling

void Session::contact(Instant now) {
  if (!active_ && !contact_since_) contact_since_ = now;
  if (state_.is(SessionState::disconnected) || state_.is(SessionState::failed))
    state_.move(now, SessionState::connecting);
}

void Session::schedule(Instant now) {
  if (held_ || removed_ || context_.stopping || !dialable() || active_ || dial_) return;
  redial_.later(now);
}

void Session::start_dial(Instant now) {
  if (!pending_.empty() || leaving_)  // the peer is at the door already, or on its way out
    return redial_.postpone(now + context_.options.retry_initial);
  if (!dialable()) return redial_.stop();
  if (!context_.dials.take(now)) return redial_.postpone(now + context_.rng.up_to(kDialPostponed) + 1ms);
  contact(now);
  redial_.begin(now);
  context_.out.emit(now,
                    event::DialStarted{spec_.id, static_cast<unsigned>(spec_.addresses.size()), redial_.failures()});
  dial_.emplace(context_, now, spec_);
  if (dial_->failed()) dial_failed(now, dial_->error(), dial_->detail(), dial_->remote());
}

void Session::handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses) {
  if (!dial_ || !dial_->awaits(id)) return;
  dial_->handle_resolved(now, id, addresses);
  if (dial_->failed()) dial_failed(now, dial_->error(), dial_->detail(), dial_->remote());
}

void Session::end_dial(Instant now, DialResult result, ErrorType error, std::string detail) {
  const Instant started = dial_->started();
  const bool by_peer = (blames_peer(error) || dial_->absent()) && context_.fitness.judges(spec_.id, started);
  for (const quic::Handle handle : dial_->handles()) {
    if (auto link = take(handle))
      close(now, *link, CloseCode::duplicate, "cancelled");
    else
      context_.endpoint.close(now, handle, static_cast<std::uint64_t>(CloseCode::duplicate), "cancelled");
  }
  dial_->let_go(Via::own);
  dial_.reset();
  switch (result) {
    case DialResult::success:  // told when its session is up
      break;
    case DialResult::failed:
      redial_.failed(now, by_peer);
      schedule(now);
      break;
    case DialResult::cancelled:
      redial_.cancelled(now);
      break;
  }
  const Duration retry_in = redial_.at() ? *redial_.at() - now : Duration{};
  context_.out.emit(now, event::DialEnded{spec_.id, result, error, std::move(detail), now - started, retry_in});
}

void Session::cancel_dial(Instant now) {
  if (dial_) end_dial(now, DialResult::cancelled, ErrorType::unknown, {});
}

void Session::dial_failed(Instant now, ErrorType error, std::string detail, const SocketAddress& remote) {
  failed(now, error, detail, remote);
  end_dial(now, DialResult::failed, error, std::move(detail));
  release_held(now);
  link_gone(now);
}

void Session::failed(Instant now, ErrorType error, const std::string& detail, const SocketAddress& remote) {
  last_error_ = event::LastError{now, error, detail};
  context_.out.emit(now, event::ConnectionFailed{spec_.id, remote, error, detail});
}

// ---- the session's end

void Session::end_session(Instant now, CloseReason reason, std::string detail, SessionState to) {
  drop_measurements(now);
  release_held(now);
  if (!leaving_) {  // else the goodbye goes through them
    release_channels(nullptr);
    release_sockets();
  }
  estimate_inbound_.reset();
  estimate_outbound_.reset();
  const Duration lasted = now - *connected_since_;
  if (lasted >= kStable) redial_.calm();
  connected_since_.reset();
  context_.out.emit(now, event::SessionEnded{spec_.id, reason, lasted, std::move(detail)});
  state_.move(now, to);
}

void Session::drop_measurements(Instant now) {
  if (measurements_) measurements_->abandon();
  measurements_.reset();
  if (traversal_) traversal_->abandon(now);
  traversal_.reset();
  if (bandwidth_) bandwidth_->abandon();
  bandwidth_.reset();
}

void Session::left(Instant now) {
  leaving_.reset();
  if (!active_) {
    release_channels(nullptr);
    release_sockets();
  }
  leave_deadline_ = kNever;
  if (state_.is(SessionState::disconnecting)) state_.move(now, SessionState::disconnected);
}

void Session::check_dead(Instant now) {
  const auto dead = measurements_->dead_since();
  if (!dead || now - *dead < context_.options.dead_session) return;
  const std::string why = "no live path for " + std::to_string((now - *dead) / std::chrono::seconds{1}) + " s";
  const auto link = std::move(active_);
  close(now, *link, CloseCode::timeout, "no live path");
  failed(now, ErrorType::timeout, why, link->path().remote);
  end_session(now, CloseReason::timeout, why, SessionState::failed);
  schedule(now);
}

// ---- timers

Instant Session::next_timeout() const {
  Instant at = earlier(leave_deadline_, redial_.at().value_or(kNever));
  for (const Pending& p : pending_) at = earlier(at, earlier(p.release_at, p.link->admission_deadline()));
  if (measurements_) at = earlier(at, measurements_->next_timeout());
  if (traversal_) at = earlier(at, traversal_->next_timeout());
  if (measurements_ && measurements_->dead_since())
    at = earlier(at, *measurements_->dead_since() + context_.options.dead_session);
  if (measurements_ && measurements_->dead_since() && context_.rendezvous && (!seeking_ || beside_)) at = earlier(at, next_seek_);
  if (dial_) at = earlier(at, dial_->next_timeout());
  if (bandwidth_) at = earlier(at, bandwidth_->next_timeout());
  return at;
}

void Session::handle_timeout(Instant now) {
  check_pending(now);
  if (now >= leave_deadline_) {
    close(now, *leaving_, CloseCode::done, "goodbye unanswered");
    left(now);
  }
  if (active_) {
    measurements_->handle_timeout(now, *active_);
    check_dead(now);
    seek(now);
    traverse(now);
  }
  if (dial_) {
    dial_->handle_timeout(now);
    if (dial_->failed()) dial_failed(now, dial_->error(), dial_->detail(), dial_->remote());
  }
  if (bandwidth_) {
    bandwidth_->handle_timeout(now, *active_);
    keep_estimates();
  }
  if (redial_.due(now)) start_dial(now);
}

void Session::keep_estimates() {
  if (bandwidth_->inbound()) estimate_inbound_ = bandwidth_->inbound();
  if (bandwidth_->outbound()) estimate_outbound_ = bandwidth_->outbound();
  if (bandwidth_->done()) bandwidth_.reset();
}

void Session::count(Instant now, event::Direction direction, const PathAddress& path, Carried what, std::size_t bytes,
                    std::size_t packets) {
  if (direction == event::Direction::inbound) context_.fitness.heard(now, spec_.id);
  if (what == Carried::quic) quic_packets_[static_cast<std::size_t>(direction)] += packets;
  auto& traffic = traffic_[static_cast<std::size_t>(context_.kind_of(path))][static_cast<std::size_t>(direction)];
  traffic.bytes += bytes;
  traffic.packets += packets;
  if (measurements_) measurements_->count(now, direction, bytes);
}

void Session::traffic_sent(Instant now) {
  if (measurements_) measurements_->traffic_sent(now);
}

void Session::node_was_late(Instant now) {
  if (measurements_) measurements_->node_was_late(now);
}

void Session::probe_now(Instant now) {
  if (measurements_) measurements_->probe_now(now);
  traverse(now);
}

void Session::network_changed(Instant now, std::span<const IpAddress> own) {
  if (measurements_) measurements_->network_changed(now, own);
  if (traversal_) traversal_->network_changed(now);
  traverse(now);
}

void Session::redial_elsewhere(Instant now, Instant from) {
  redial_.expire(now);
  if (dial_) redial_.calm();  // begun in the network of before: should it fail, the next follows soon
  redial_.hasten(from);
}

event::PeerSnapshot Session::snapshot(Instant now) const {
  event::PeerSnapshot s;
  s.id = spec_.id;
  s.name = spec_.name;
  s.software = software_;
  s.method = method_;
  s.always_label = spec_.always_label;
  s.held = held_;
  s.addresses = spec_.addresses;
  s.state = state_.get();
  s.state_since = state_.since();
  s.connected_since = connected_since_;
  s.dialled = active_ && active_->dialled();
  s.last_seen = last_seen_;
  s.estimate_inbound = estimate_inbound_;
  s.estimate_outbound = estimate_outbound_;
  s.traffic = traffic_;
  s.quic_packets = quic_packets_;
  s.quic_datagrams_lost = datagrams_lost_before_;
  if (active_ && measurements_) {
    const auto stats = context_.endpoint.stats(active_->handle());
    s.quic_datagrams_lost += stats.datagrams_lost;
    measurements_->fill(now, s, stats);
    if (const auto proof = measurements_->last_proof()) s.last_seen = std::max(*proof, last_seen_.value_or(*proof));
  }
  s.failures = active_ ? 0 : redial_.failures();  // what the back-off remembers beyond a session is its own affair
  s.next_dial = redial_.at();
  s.breaker = redial_.breaker();
  s.last_error = last_error_;
  return s;
}

}  // namespace pw::peer
