#include <algorithm>
#include <utility>

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
  }
  if (!direct_ && was_direct) {
    trigger_ = TraversalTrigger::path_lost;
    begin_anew(now, trigger_);
  }
  if (punch_ && direct_) punch_->handle_proved(now, *direct_);
  if (punch_ && punch_->poll_timeout() <= now) punch_->handle_timeout(now);
  after_round(now);
  if (direct_ || punch_) return;
  if (now >= next_attempt_) attempt(now);
  if (now >= round_at_) begin_round(now);
}

void Traversal::attempt(Instant now) {
  next_attempt_ = kNever;
  if (!heard_message_ || !told_ || !context_.whereabouts.told) return;  // until there is something to try
  next_attempt_ = now + kChecked + backoff_.next(context_.rng);
  if (!budget_.attempts.take(now)) return;
  select(false);
  std::erase_if(checked_, [&](const auto& one) { return now - one.second >= kChecked; });
  const bool open = std::ranges::any_of(targets_, is_open);
  round_at_ = open ? now + grace(rtt_) : now;
  check(now, true);
}

/// Those of one kind that are not being checked already. Whom the budget does not suffice for comes first the next time.
void Traversal::check(Instant now, bool open) {
  const std::size_t first = first_;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const std::size_t at = (first + i) % targets_.size();
    const SocketAddress& address = targets_[at].address;
    if (is_open(targets_[at]) != open || checked_.contains(address)) continue;
    if (!budget_.checks.take(now) || !context_.candidates.take(now)) {
      first_ = at;
      return;
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
  if (!initiator() || !budget_.rounds.take(now)) return;  // the next attempt will
  make_round(now, next_round_++, made);
  punch_->start(now, now + rtt_ / 2);
  after_round(now);
}

void Traversal::make_round(Instant now, std::uint32_t round, const nat::Plan& made) {
  nat::PunchTask task{.round = round,
                      .initiator = initiator(),
                      .plan = made,
                      .rtt = rtt_,
                      .step = 0,
                      .theirs = targets_,
                      .observed = {},
                      .servers = {}};
  punch_ = std::make_unique<nat::Punch>(std::move(task), nat::PunchOptions{},
                                        nat::PunchShare{context_.punch_packets, context_.search, context_.next_via},
                                        rng_.split());
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
  context_.out.emit(now, event::TraversalEnded{peer_, end.result, end.method, end.failure, std::string{end.detail}, took,
                                               started_.family, started_.local_nat, started_.remote_nat});
}

/// Takes what a round has to say; once it has ended, a last time.
void Traversal::after_round(Instant now) {
  if (!punch_) return;
  while (const auto message = punch_->poll_message()) messages_.emplace_back(nat::to_wire(*message));
  while (auto request = punch_->poll_request()) context_.out.requests.push_back(std::move(*request));
  if (!punch_->end()) return;
  const nat::PunchEnd over = *punch_->end();
  punch_.reset();
  end(now, over, now - started_at_);
}

void Traversal::abandon(Instant now) {
  if (punch_) punch_->cancel();
  after_round(now);
}

std::optional<nat::Order> Traversal::poll_check(Instant now) {
  if (!punch_) return std::nullopt;
  auto order = punch_->poll_order(now);
  after_round(now);
  return order;
}

}  // namespace pw::peer
