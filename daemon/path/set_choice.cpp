#include <algorithm>
#include <array>

#include "path/set.hpp"

namespace pw::path {

using event::PathChangeReason;

namespace {
bool is_failure(PathChangeReason why) {
  return why == PathChangeReason::path_lost || why == PathChangeReason::relay_closed;
}

constexpr double kJitter = 0.2;  // RFC 7675 section 5.1: at random, so that checks of many paths don't fall into step
}

void Set::select(Instant now, PathChangeReason if_gone) {
  std::array<Selector::View, kMaxPaths> views;
  std::ranges::transform(paths_, views.begin(), [](const Path& p) {
    return Selector::View{p.id,         p.name.kind,      p.liveness.health(), p.size.verdict(),
                          p.doubtful(), p.rtt.smoothed(), p.samples,           p.steady_since,
                          p.lost_in_use};
  });
  const Instant since = selector_.since();
  std::optional<Instant> lost_since;
  if (const auto change = selector_.update(now, std::span{views}.first(paths_.size()), if_gone)) {
    lost_since = failed_since(*change);
    changed(now, since, *change);
  } else if (const Path* doubted = selector_.second() ? find(selector_.first()) : nullptr) {
    lost_since = doubted->arrived_until();
  }

  for (Path& path : paths_) {
    const bool carries = path.id == selector_.first() || path.id == selector_.second();
    if (!carries || in_use(path.name.address)) continue;
    path.first_good.reset();
    path.liveness.probe_now(now);  // packets have gone the wrong way for long enough: does this one lead there?
  }
  std::vector<PathAddress> sending;
  for (const auto id : {selector_.first(), selector_.second()})
    if (const Path* path = find(id)) sending.push_back(path->name.address);
  if (sending != sending_) {
    sending_ = std::move(sending);
    events_.push_back(SendingChanged{lost_since});
  }
  const Path* first = find(selector_.first());
  in_use_.name = first ? first->name : Named{};
  if (first) in_use_.last_proof = first->last_proof();
  fail_over();
  set_paces(now);
}

/// Since when packets may have been lost on the path that was left, if it was for that.
std::optional<Instant> Set::failed_since(const Selector::Change& change) {
  if (change.from && !is_failure(change.reason)) return std::nullopt;
  const Path* const left = find(change.from);
  return left ? std::optional{left->arrived_until()} : in_use_.last_proof;
}

void Set::changed(Instant now, Instant since, const Selector::Change& change) {
  Path* const left = find(change.from);
  if (left && change.reason == PathChangeReason::path_lost)
    left->lost_in_use = now - since >= Selector::kForgive ? 1 : left->lost_in_use + 1;
  if (is_failure(change.reason) && !failed_ && in_use_.name.kind != event::PathKind::none)
    failed_ = Failed{in_use_.name, left ? left->last_good() : in_use_.last_proof.value_or(now)};
  const Path* const taken = find(change.to);
  events_.push_back(SendingPathChanged{in_use_.name, taken ? taken->name : Named{}, change.reason,
                                       now - in_use_.last_proof.value_or(now)});
}

/// One that failed and is in use again was away: no other one took its place.
void Set::fail_over() {
  const Path* const first = find(selector_.first());
  if (!failed_ || !first || !first->first_good) return;
  if (!same_way(first->name.address, failed_->path.address))
    events_.push_back(FailedOver{failed_->path, first->name, std::max(*first->first_good - failed_->last_good, Duration{})});
  failed_.reset();
}

void Set::set_paces(Instant now) {
  for (Path& path : paths_) {
    const auto is = [&](std::optional<PathId> id) { return id == path.id; };
    path.fast = !selector_.first() || is(selector_.first()) || is(selector_.second()) || is(selector_.challenger());
    if (!path.fast) continue;
    path.liveness.set_interval(options_.interval);
    path.liveness.probe_now(now + options_.interval);  // at the latest
  }
}

Duration Set::standby_interval() {
  const auto jitter =
      Duration{static_cast<std::int64_t>(kJitter * static_cast<double>(options_.standby_interval.count()))};
  return options_.standby_interval - rng_.up_to(jitter);
}

bool Set::only_relay_in_doubt() const {
  return in_use_.name.address.relayed() && std::ranges::any_of(paths_, &Path::alive) && std::ranges::none_of(paths_, &Path::proved);
}

}  // namespace pw::path
