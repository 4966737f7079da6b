#include <algorithm>
#include <utility>

#include "path/candidates.hpp"
#include "peer/traversal.hpp"

namespace pw::peer {

using event::TraversalFailure;
using event::TraversalMethod;
using event::TraversalResult;
using event::TraversalTrigger;
using nat::CandidateKind;
using nat::PunchMessage;

namespace {

/// It needs nothing but an answer.
bool is_open(const nat::Candidate& c) { return c.kind == CandidateKind::host || c.kind == CandidateKind::port_mapped; }

}  // namespace

// ---- the plan, of what was really told: both ends make it of the same

nat::Side Traversal::ours() const {
  nat::Side side = nat::side_of(*told_);
  side.initiator = initiator();
  return side;
}

nat::Side Traversal::theirs() const {
  nat::Side side = nat::side_of(*heard_message_);
  side.initiator = !initiator();
  return side;
}

// ---- attempts

void Traversal::settle(Instant now, const Paths& paths) {
  tell(now);
  if (waiting_ && now >= waits_until_) handle(now, *std::exchange(waiting_, {}));
  rtt_ = paths.rtt;
  const bool was_direct = std::exchange(direct_, paths.direct).has_value();
  if (direct_ && !was_direct) {
    backoff_.reset();
    next_attempt_ = round_at_ = kNever;
    needed_.reset();
  }
  if (!direct_ && was_direct) {
    trigger_ = TraversalTrigger::path_lost;
    begin_anew(now, trigger_);
  }
  if (!direct_ || paths.last_proof > started_at_) stale_.reset();
  if (punch_ && direct_ && (direct_ != stale_ || punch_->peer_done_at())) punch_->handle_proved(now, *direct_);
  if (punch_ && punch_->poll_timeout() <= now) punch_->handle_timeout(now);
  after_round(now);
  if (direct_ || punch_) return;
  if (now >= attempt_at()) attempt(now);
  if (now >= round_at_) begin_round(now);
}

/// What a plan is made of has to be told first.
Instant Traversal::attempt_at() const {
  return told_revision_ == context_.whereabouts.revision ? next_attempt_ : std::max(next_attempt_, tell_at_);
}

void Traversal::attempt(Instant now) {
  next_attempt_ = kNever;
  if (!heard_message_ || !told_ || !context_.whereabouts.told) return;  // until there is something to try
  next_attempt_ = now + kChecked + backoff_.next(context_.rng);
  if (!budget_.attempts.take(now)) return;
  if (!needed_) needed_ = now;
  select(false);
  std::erase_if(checked_, [&](const auto& one) { return now - one.second >= kChecked; });
  round_at_ = worth_waiting() ? now + grace(rtt_) : now;
  check(now, true);
}

/// Whether a path may come of those that need nothing but an answer, of either end, before a round were worth its packets. A
/// round that costs next to nothing goes beside checks that will hardly be answered.
bool Traversal::worth_waiting() const {
  const nat::Side here = ours();
  const nat::Side there = theirs();
  const nat::Method next = nat::plan(here, there, next_round_).method();
  if (next != nat::Method::punch && next != nat::Method::prediction) return std::ranges::any_of(targets_, is_open);
  return std::ranges::any_of(targets_, [&](const auto& c) { return nat::likely_open(c, here, there); }) ||
         std::ranges::any_of(here.candidates, [&](const auto& c) { return nat::likely_open(c, there, here); });
}

/// What its checks are held back by.
std::optional<event::Budget> Traversal::against_check(Instant now) {
  if (!budget_.checks.has(now)) return event::Budget::checks;
  if (!context_.packets.take(now, path::Candidates::kTries)) return event::Budget::packets;
  budget_.checks.take(now);
  return std::nullopt;
}

/// Those of one kind that are not being checked already. The first that a budget does not suffice for comes first the next
/// time, and the same budget holds back all after it.
void Traversal::check(Instant now, bool open) {
  const std::size_t first = first_;
  std::optional<event::Budget> against;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const std::size_t at = (first + i) % targets_.size();
    const SocketAddress& address = targets_[at].address;
    if (is_open(targets_[at]) != open || checked_.contains(address)) continue;
    if (!against) {
      against = against_check(now);
      if (against) first_ = at;
    }
    if (against) {
      context_.deny(*against, *against == event::Budget::packets ? path::Candidates::kTries : 1);
      continue;
    }
    checked_[address] = now;
    candidates_.push_back({IpAddress::any(address.ip.family()), address, Via::own});
  }
}

// ---- rounds

void Traversal::begin_round(Instant now) {
  round_at_ = kNever;
  select(false);
  const nat::Plan made = plan(next_round_);
  if (made.method() == nat::Method::none) {
    check(now, false);
    if (std::exchange(hopeless_, true)) return;
    start(now, made);
    const bool empty = made.why() == nat::Why::no_candidates;
    return end(now, {TraversalResult::failure, TraversalMethod::none,
                     empty ? TraversalFailure::no_candidates : TraversalFailure::infeasible, nat::describe(made.why())}, {});
  }
  if (!initiator()) return;
  if (made.method() == nat::Method::birthday && context_.search.taken()) {
    round_at_ = now + kSearchTurn;
    return;
  }
  if (!budget_.rounds.take(now)) return;  // the next attempt will
  make_round(now, next_round_++, made);
  punch_->start(now, now + rtt_ / 2);
  after_round(now);
}

void Traversal::make_round(Instant now, std::uint32_t round, const nat::Plan& made) {
  nat::PunchTask task{.round = round,
                      .initiator = initiator(),
                      .plan = made,
                      .rtt = rtt_,
                      .step = ours().behaviour[static_cast<std::size_t>(made.family)].step,
                      .theirs = targets_,
                      .observed = context_.observations.of(peer_),
                      .servers = {}};
  for (const SocketAddress& server : context_.whereabouts.stun)
    if (server.ip.family() == made.family) task.servers.push_back(server);
  punch_ = std::make_unique<nat::Punch>(std::move(task), nat::PunchOptions{}, share(), rng_.split());
  stale_ = direct_;
  gathering_since_ = std::exchange(needed_, {});
  round_ = round;
  method_ = made.method();
  family_ = made.family;
  start(now, made);
}

void Traversal::handle(Instant now, const wire::Punch& wire) {
  const auto message = nat::punch_of(wire);
  if (!message) return;
  const bool begins = message->kind == PunchMessage::Kind::start && !initiator();
  if (begins && (!punch_ || message->round >= next_round_)) {
    const auto decline = [&](TraversalFailure why) {
      messages_.emplace_back(nat::to_wire({.kind = PunchMessage::Kind::cancel, .round = message->round, .failure = why}));
    };
    if (!told_ || !told_revision_ || !heard_message_ || !context_.whereabouts.told) return decline(TraversalFailure::coordination);
    if (!budget_.rounds.take(now)) return decline(TraversalFailure::budget);
    if (punch_) punch_->cancel();  // the other end has given that one up
    after_round(now);
    next_round_ = message->round + 1;
    select(false);
    make_round(now, message->round, plan(message->round));
  }
  // Of a round that is over here it says nothing new.
  if (punch_) punch_->handle_message(now, *message);
  after_round(now);
}

void Traversal::start(Instant now, const nat::Plan& made) {
  const auto family = static_cast<std::size_t>(made.family);
  const auto method = [&] {
    switch (made.method()) {
      case nat::Method::punch:
        return made.why() == nat::Why::port_mapping ? TraversalMethod::port_mapping : TraversalMethod::punch;
      case nat::Method::prediction: return TraversalMethod::prediction;
      case nat::Method::birthday: return TraversalMethod::birthday;
      case nat::Method::none: break;
    }
    return TraversalMethod::none;
  };
  started_ = {peer_, trigger_, method(), made.family, event::type_of(ours().behaviour[family]),
              event::type_of(theirs().behaviour[family])};
  started_at_ = now;
  trigger_ = TraversalTrigger::retry;
  context_.out.emit(now, started_);
}

void Traversal::end(Instant now, const nat::PunchEnd& end, std::optional<Duration> took) {
  event::TraversalEnded ended{peer_, end.result, end.method, end.failure, std::string{end.detail}, took,
                              started_.family, started_.local_nat, started_.remote_nat};
  using enum event::TraversalPhase;
  const auto phase = [&](event::TraversalPhase which, Instant from, Instant to) {
    if (from < to) ended.phases[static_cast<std::size_t>(which)] = to - from;
  };
  if (punch_) {
    const Instant proved = punch_->peer_done_at().value_or(now);
    const Instant checks = std::min(punch_->checks_at(), proved);
    phase(gathering, gathering_since_.value_or(started_at_), started_at_);
    phase(coordination, started_at_, checks);
    phase(punching, checks, proved);
    phase(validation, proved, now);
  }
  context_.out.emit(now, std::move(ended));
}

// ---- what a round asks for, and says

/// A round that was planned by what is no longer so is in the way of a better one.
void Traversal::reconsider(Instant now) {
  if (!punch_ || !initiator()) return;
  const nat::Plan made = plan(round_);
  if (made.method() == method_ && made.family == family_) return;
  punch_->cancel();
  after_round(now);
}

void Traversal::take(Instant now, event::Request request) {
  if (const auto* open = std::get_if<event::OpenSocket>(&request); open && !context_.sockets.add(open->via, peer_)) {
    context_.deny(event::Budget::flows);
    punch_->handle_socket(now, open->via, fail("too many sockets are open"));
    return;
  }
  if (const auto* close = std::get_if<event::CloseSocket>(&request)) {
    context_.sockets.remove(close->via);
    closed_.push_back(close->via);
  }
  context_.out.requests.push_back(std::move(request));
}

/// Takes what a round has to say; once it has ended, a last time.
void Traversal::after_round(Instant now) {
  if (!punch_) return;
  while (auto request = punch_->poll_request()) take(now, std::move(*request));
  while (const auto message = punch_->poll_message()) messages_.emplace_back(nat::to_wire(*message));
  if (const unsigned held_back = punch_->take_held_back()) context_.deny(event::Budget::packets, held_back);
  if (!punch_->end()) return;
  if (const auto won = punch_->won()) won_.push_back(*won);
  nat::PunchEnd result = *punch_->end();
  // The other end had lost its path, and found none; this one's is alive still, so nothing has failed here.
  if (result.result == TraversalResult::failure && direct_)
    result = {TraversalResult::cancelled, result.method, TraversalFailure::none, "this end has a direct path"};
  end(now, result, now - started_at_);
  punch_.reset();
}

void Traversal::abandon(Instant now) {
  if (punch_) punch_->cancel();
  after_round(now);
}

void Traversal::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  if (punch_) punch_->handle_socket(now, via, bound);
  after_round(now);
}

bool Traversal::handle_stun(Instant now, const PathAddress& from, const wire::stun::Message& message) {
  const bool answers = punch_ && punch_->handle_stun(now, from, message);
  after_round(now);
  return answers;
}

std::optional<Traversal::Packet> Traversal::poll_packet(Instant now) {
  if (!punch_) return std::nullopt;
  std::optional<Packet> packet;
  if (auto question = punch_->poll_transmit(now))
    packet = std::move(*question);
  else if (const auto order = punch_->poll_order(now))
    packet = *order;
  after_round(now);
  return packet;
}

}  // namespace pw::peer
