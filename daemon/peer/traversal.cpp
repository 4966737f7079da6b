#include "peer/traversal.hpp"

#include <algorithm>
#include <utility>

namespace pw::peer {

using event::TraversalTrigger;

/// Of this node, as it is now.
wire::Candidates Traversal::message() const {
  return context_.whereabouts.told ? context_.whereabouts.message : wire::Candidates{};
}

void Traversal::whereabouts_changed(Instant now) { begin_anew(now, TraversalTrigger::network_change); }

void Traversal::begin_anew(Instant now, TraversalTrigger why) {
  // Until something was tried it is still the first attempt.
  if (trigger_ != TraversalTrigger::initial) trigger_ = why;
  backoff_.reset();
  hopeless_ = false;
  if (heard_message_ && !direct_) next_attempt_ = now;
}

void Traversal::say_again(Instant now) {
  told_.reset();
  tell_at_ = now + kTellApart;
  if (punch_) punch_->cancel();  // its other end waits for what was not said
}

void Traversal::tell(Instant now) {
  wire::Candidates here = message();
  if (now < tell_at_ || told_.value_or(wire::Candidates{}) == here) return;
  tell_at_ = now + kTellApart;
  told_ = here;
  messages_.emplace_back(std::move(here));
}

void Traversal::handle(Instant now, const wire::Candidates& message) {
  if (heard_.take(now))
    judge(now, message);
  else
    refuse({}, nat::Refusal::too_many);
  report_refused(now);
}

void Traversal::judge(Instant now, const wire::Candidates& message) {
  const nat::Side side = nat::side_of(message);
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
  heard_message_ = message;
  targets_ = list.all();
  begin_anew(now, TraversalTrigger::network_change);
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
  const bool untold = told_.value_or(wire::Candidates{}) != message();
  Instant next = earlier(untold ? tell_at_ : kNever, punch_ ? punch_->poll_timeout() : kNever);
  if (!direct_ && !punch_) next = earlier(next, earlier(next_attempt_, round_at_));
  return next;
}

}  // namespace pw::peer
