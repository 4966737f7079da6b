#include "peer/traversal.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"

namespace pw::peer {

using event::TraversalTrigger;

/// Of this node, as it is now.
wire::Candidates Traversal::message() const {
  return context_.whereabouts.told ? context_.whereabouts.message : wire::Candidates{};
}

void Traversal::whereabouts_changed(Instant now) {
  checked_.clear();  // from another address, or through another NAT
  begin_anew(now, TraversalTrigger::network_change);
  if (next_attempt_ != kNever) next_attempt_ = std::max(next_attempt_, now + kSettle);
}

void Traversal::begin_anew(Instant now, TraversalTrigger why) {
  // Until something was tried it is still the first attempt.
  if (trigger_ != TraversalTrigger::initial) trigger_ = why;
  backoff_.reset();
  hopeless_ = false;
  if (direct_) return;
  if (!needed_) needed_ = now;
  if (heard_message_) next_attempt_ = now;
}

void Traversal::network_changed(Instant now) {
  if (punch_) punch_->cancel();
  after_round(now);
}

void Traversal::say_again(Instant now) {
  told_revision_.reset();
  tell_at_ = now + kTellApart;
  round_at_ = kNever;
  if (punch_) punch_->cancel();  // its other end waits for what was not said
}

void Traversal::tell(Instant now) {
  const std::uint64_t revision = context_.whereabouts.revision;
  if (now < tell_at_ || told_revision_ == revision) return;
  wire::Candidates here = message();
  const bool owed = told_ && !told_revision_;
  if (!owed && told_.value_or(wire::Candidates{}) == here) {
    told_revision_ = revision;
    return;
  }
  if (!telling_.take(now)) {
    tell_at_ = now + kTellApart;
    return;
  }
  told_revision_ = revision;
  told_ = here;
  messages_.emplace_back(std::move(here));
  reconsider(now);
}

void Traversal::handle(Instant now, const wire::Candidates& message) {
  if (budget_.heard.take(now)) return judge(now, message);
  if (!waiting_) waits_until_ = now + from_seconds(1 / kHeardPerSecond);
  waiting_ = message;
}

void Traversal::judge(Instant now, const wire::Candidates& message) {
  waiting_.reset();
  waits_until_ = kNever;
  heard_message_ = message;
  first_ = 0;
  select(true);
  begin_anew(now, TraversalTrigger::network_change);
  report_refused(now);
  reconsider(now);
}

/// Whom to check of those that it named, by where this node is now.
void Traversal::select(bool reported) {
  const nat::Side side = nat::side_of(*heard_message_);
  nat::CandidateList list;
  std::map<IpAddress, unsigned> ports;
  for (const nat::Candidate& c : side.candidates) {
    unsigned& of_one = ports[c.address.ip];
    const nat::Refusal why =
        of_one >= kMaxOfOneAddress ? nat::Refusal::too_many : list.add_theirs(c, context_.whereabouts.around);
    if (why == nat::Refusal::none)
      ++of_one;
    else if (reported)
      refuse(c.address, why);
  }
  if (reported)
    for (std::size_t unknown = heard_message_->candidates.size() - side.candidates.size(); unknown > 0; --unknown)
      refuse({}, nat::Refusal::unknown_kind);
  targets_ = list.all();
  std::erase_if(targets_, [&](const nat::Candidate& c) {  // no packet of ours can go there
    return !context_.whereabouts.families[static_cast<std::size_t>(c.address.ip.family())];
  });
}

void Traversal::refuse(const SocketAddress& address, nat::Refusal why) {
  Refused& refused = refused_[why];
  if (refused.count++ == 0) refused.first = address;
}

void Traversal::report_refused(Instant now) {
  for (const auto& [why, refused] : std::exchange(refused_, {}))
    context_.out.emit(now, event::CandidatesRefused{peer_, why, refused.first, refused.count});
}

// ---- output

std::optional<wire::ControlMessage> Traversal::poll_message() { return taken(messages_); }
std::optional<PathAddress> Traversal::poll_candidate() { return taken(candidates_); }
std::optional<Via> Traversal::poll_won() { return taken(won_); }
std::optional<Via> Traversal::poll_closed() { return taken(closed_); }

Instant Traversal::next_timeout() const {
  const bool untold = told_revision_ != context_.whereabouts.revision;
  Instant next = earlier(untold ? tell_at_ : kNever, punch_ ? punch_->poll_timeout() : kNever);
  next = earlier(next, waits_until_);
  if (!direct_ && !punch_) next = earlier(next, earlier(attempt_at(), round_at_));
  return next;
}

}  // namespace pw::peer
