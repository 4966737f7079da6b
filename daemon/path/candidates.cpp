#include "path/candidates.hpp"

#include <algorithm>
#include <utility>

#include "nat/candidate.hpp"

namespace pw::path {
namespace {

Duration pace_after(unsigned tries) {
  return std::min<Duration>(Candidates::kMaxPace, Duration{Candidates::kFirstPace} * (1 << std::min(tries - 1, 10U)));
}

}  // namespace

bool same_way(const PathAddress& a, const PathAddress& b) {
  return a.via == b.via && a.remote == b.remote &&
         (a.local == b.local || a.local.is_unspecified() || b.local.is_unspecified());
}

bool may_check(const PathAddress& address, event::PathKind kind) {
  return relayed(kind) || nat::refusal_of(address.remote) == nat::Refusal::none;
}

Candidate* Candidates::find(const PathAddress& address) {
  const auto found =
      std::ranges::find_if(candidates_, [&](const auto& c) { return same_way(c.name.address, address); });
  return found == candidates_.end() ? nullptr : &*found;
}

bool Candidates::order(Instant now, const Named& name) {
  if (Candidate* known = find(name.address)) {
    known->ordered = true;
    known->tries = 0;
    known->next = std::max(now, known->last + kPace);
    return true;
  }
  if (!make_room()) return false;
  candidates_.push_back({.name = name, .ordered = true, .next = now});
  return true;
}

bool Candidates::make_room() {
  if (candidates_.size() < kMax) return true;
  const auto rank = [](const Candidate& c) { return std::pair{c.ordered, c.asked}; };
  const auto worst = std::ranges::min_element(candidates_, {}, rank);
  if (worst->ordered) return false;
  candidates_.erase(worst);
  return true;
}

Candidate* Candidates::trigger(Instant now, const Named& name) {
  Candidate* known = find(name.address);
  if (!known) {
    if (!new_.take(now) || !make_room()) return nullptr;
    return &candidates_.emplace_back(
        Candidate{.name = name, .allowed = kChecksForOne, .asked = now, .next = now});
  }
  known->asked = now;
  const bool in_vain = known->tries >= kTries - 1;  // what is left is one at a time, for as long as the peer's come
  if (in_vain) known->tries = kTries - 1;
  known->allowed = known->tries + kChecksForOne;
  known->next = std::min(known->next, std::max(now, known->last + (in_vain ? kSteadyPace : kPace)));
  return known;
}

void Candidates::remove(const PathAddress& address) {
  std::erase_if(candidates_, [&](const Candidate& c) { return same_way(c.name.address, address); });
}

void Candidates::remove(Via via) {
  std::erase_if(candidates_, [via](const Candidate& c) { return c.name.address.via == via; });
}

std::optional<Named> Candidates::poll_due(Instant now) {
  for (Candidate& c : candidates_) {
    if (c.next > now || c.tries >= kTries) continue;
    if (!c.ordered && c.tries >= c.allowed) {
      c.next = now + pace_after(++c.tries);
      continue;
    }
    if (!c.ordered && !triggered_.take(now)) {
      c.next = now + from_seconds(1 / kTriggeredPerSecond);
      continue;
    }
    c.last = now;
    c.next = now + pace_after(++c.tries);
    return c.name;
  }
  return std::nullopt;
}

std::optional<Named> Candidates::poll_given_up(Instant now) {
  const auto over =
      std::ranges::find_if(candidates_, [&](const Candidate& c) { return c.next <= now && c.tries >= kTries; });
  if (over == candidates_.end()) return std::nullopt;
  const Named name = over->name;
  candidates_.erase(over);
  return name;
}

void Candidates::node_was_late(Instant now) {
  for (Candidate& c : candidates_)
    if (c.tries >= kTries) c.next = now + kMaxPace;
}

Instant Candidates::next_timeout() const {
  Instant next = kNever;
  for (const Candidate& c : candidates_) next = earlier(next, c.next);
  return next;
}

}  // namespace pw::path
