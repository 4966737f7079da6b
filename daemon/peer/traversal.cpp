#include "peer/traversal.hpp"

#include <algorithm>
#include <utility>

namespace pw::peer {

// ---- what the ends tell each other

void Traversal::whereabouts_changed(Instant now) {
  if (theirs_) next_attempt_ = now;
  backoff_.reset();
}

void Traversal::say_again(Instant now) {
  told_.reset();
  tell_at_ = now + kTellApart;
}

void Traversal::tell(Instant now) {
  const Whereabouts& here = context_.whereabouts;
  const wire::Candidates message = here.told ? here.message : wire::Candidates{};
  if (now < tell_at_ || told_.value_or(wire::Candidates{}) == message) return;
  tell_at_ = now + kTellApart;
  told_ = message;
  messages_.emplace_back(message);
}

void Traversal::handle(Instant now, const wire::Candidates& message) {
  if (!heard_.take(now)) {
    refuse({}, nat::Refusal::too_many);
  } else {
    judge(now, message);
  }
  report_refused(now);
}

void Traversal::judge(Instant now, const wire::Candidates& message) {
  nat::Side side = nat::side_of(message);
  for (std::size_t unknown = message.candidates.size() - side.candidates.size(); unknown > 0; --unknown)
    refuse({}, nat::Refusal::unknown_kind);
  nat::CandidateList list;
  std::map<IpAddress, unsigned> ports;
  for (const nat::Candidate& c : side.candidates) {
    unsigned& of_one = ports[c.address.ip];
    const nat::Refusal why =
        of_one >= kMaxOfOneAddress ? nat::Refusal::too_many : list.add_theirs(c, context_.whereabouts.around);
    if (why == nat::Refusal::none)
      ++of_one;
    else
      refuse(c.address, why);
  }
  theirs_ = std::move(side);
  targets_ = list.all();
  next_attempt_ = now;
  backoff_.reset();
}

void Traversal::refuse(const SocketAddress& address, nat::Refusal why) {
  Refused& refused = refused_[why];
  if (refused.count++ == 0) refused.first = address;
}

void Traversal::report_refused(Instant now) {
  for (const auto& [why, refused] : std::exchange(refused_, {}))
    context_.out.emit(now, event::CandidatesRefused{peer_, why, refused.first, refused.count});
}

// ---- towards a direct path

void Traversal::settle(Instant now, bool direct) {
  tell(now);
  if (std::exchange(direct_, direct) != direct) {
    backoff_.reset();
    next_attempt_ = direct ? kNever : now;
  }
  if (!direct_ && now >= next_attempt_) attempt(now);
}

void Traversal::attempt(Instant now) {
  next_attempt_ = kNever;
  if (!theirs_ || !context_.whereabouts.told) return;  // until there is something to try
  next_attempt_ = now + kChecked + backoff_.next(context_.rng);
  for (const nat::Candidate& c : targets_) {
    if (!checks_.take(now)) {
      refuse(c.address, nat::Refusal::too_many);
      continue;
    }
    candidates_.push_back({IpAddress::any(c.address.ip.family()), c.address, Via::own});
  }
  report_refused(now);
}

// ---- output

std::optional<wire::ControlMessage> Traversal::poll_message() {
  if (messages_.empty()) return std::nullopt;
  wire::ControlMessage first = std::move(messages_.front());
  messages_.pop_front();
  return first;
}

std::optional<PathAddress> Traversal::poll_candidate() {
  if (candidates_.empty()) return std::nullopt;
  const PathAddress first = candidates_.front();
  candidates_.pop_front();
  return first;
}

Instant Traversal::next_timeout() const {
  const Whereabouts& here = context_.whereabouts;
  const bool untold = told_.value_or(wire::Candidates{}) != (here.told ? here.message : wire::Candidates{});
  return earlier(untold ? tell_at_ : kNever, direct_ ? kNever : next_attempt_);
}

}  // namespace pw::peer
