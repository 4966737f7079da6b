#include "nat/punch_schedule.hpp"

#include <algorithm>

namespace pw::nat {

CheckSchedule::CheckSchedule(Duration rtt) : timeout_{std::clamp(rtt + rtt / 4, kLeastTimeout, kMostTimeout)} {}

void CheckSchedule::add(const PathAddress& path, Instant from) {
  if (targets_.size() < kMaxTargets) targets_.push_back({path, 0, from, timeout_});
}

void CheckSchedule::add_opened(const PathAddress& path, Instant from, std::uint8_t ttl) {
  if (targets_.size() < kMaxTargets) targets_.push_back({path, ttl, from, timeout_});
}

void CheckSchedule::begin_checks(Instant at) {
  checks_at_ = at;
  for (Target& t : targets_)
    if (t.next == kNever && t.sent == 0) t.next = at;
}

bool CheckSchedule::opened() const {
  return std::ranges::all_of(targets_, [](const Target& t) { return t.opener_ttl == 0; });
}

const CheckSchedule::Target* CheckSchedule::earliest() const {
  const auto found = std::ranges::min_element(targets_, {}, &Target::next);
  return found == targets_.end() ? nullptr : &*found;
}

Instant CheckSchedule::poll_timeout() const {
  const Target* t = earliest();
  return t == nullptr ? kNever : t->next;
}

std::optional<Order> CheckSchedule::poll(Instant now) {
  const Target* due = earliest();
  if (due == nullptr || due->next > now) return std::nullopt;
  Target& t = targets_[static_cast<std::size_t>(due - targets_.data())];
  if (t.opener_ttl != 0) {
    const Order order{t.path, t.opener_ttl};
    t.opener_ttl = 0;
    t.next = checks_at_;
    return order;
  }
  t.next = ++t.sent < kChecks ? now + t.wait : kNever;
  t.wait = std::min(2 * t.wait, kMostTimeout);
  return Order{t.path, 0};
}

bool CheckSchedule::contains(const PathAddress& path) const {
  return std::ranges::any_of(targets_, [&](const Target& t) {
    return t.path.remote == path.remote && t.path.via == path.via;
  });
}

}  // namespace pw::nat
