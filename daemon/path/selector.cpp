#include "path/selector.hpp"

#include <algorithm>
#include <tuple>

namespace pw::path {

using event::PathChangeReason;
using event::PathHealth;
using event::PathKind;
using View = Selector::View;

namespace {

/// Lower is better.
int tier(PathKind kind) {
  switch (kind) {
    case PathKind::direct_v4:
    case PathKind::direct_v6:
      return 0;
    case PathKind::relay_quic:
      return 1;
    case PathKind::relay_websocket:
      return 2;
    case PathKind::none:
      return 3;
  }
  return 3;
}

Duration rtt_of(const View& v) { return v.rtt.value_or(Duration::max()); }

bool sound(const View& v) { return v.health == PathHealth::proved && !v.doubtful; }
bool fit(const View& v) { return sound(v) && v.size == Size::full; }

/// The best by rank that `accepts` takes; nullptr: none.
template <class Accepts>
const View* best(std::span<const View> paths, Accepts accepts) {
  const auto rank = [](const View& v) { return std::tuple{!sound(v), v.size != Size::full, tier(v.kind), rtt_of(v)}; };
  const View* found = nullptr;
  for (const View& v : paths)
    if (accepts(v) && (!found || rank(v) < rank(*found))) found = &v;
  return found;
}

const View* find(std::span<const View> paths, std::optional<PathId> id) {
  const auto found = std::ranges::find_if(paths, [&](const View& v) { return v.id == id; });
  return found == paths.end() ? nullptr : &*found;
}

/// From when on it may be moved to without need.
Instant ready_at(const View& v) {
  if (v.lost_in_use == 0) return v.steady_since;
  return v.steady_since + Selector::kReturn * (1 << std::min(v.lost_in_use - 1, Selector::kMaxDoublings));
}

bool better_rtt(const View& v, const View& current) {
  if (!v.rtt || !current.rtt) return false;
  return *v.rtt + std::max(Selector::kMargin, *current.rtt / Selector::kMarginShare) <= *current.rtt;
}

}  // namespace

std::optional<Selector::Change> Selector::change(Instant now, std::optional<PathId> to, PathChangeReason reason) {
  const Change out{first_, to, reason};
  first_ = to;
  second_.reset();
  challenger_.reset();
  doubt_since_ = kNever;
  since_ = now;
  if (out.from == out.to) return std::nullopt;
  return out;
}

std::optional<Selector::Change> Selector::update(Instant now, std::span<const View> paths, PathChangeReason if_gone) {
  next_ = kNever;
  const View* const current = find(paths, first_);
  if (!current || current->health == PathHealth::dead) {
    const View* const next = best(paths, [](const View& v) { return v.health != PathHealth::dead; });
    const auto reason = !first_ ? PathChangeReason::upgraded : current ? PathChangeReason::path_lost : if_gone;
    return change(now, next ? std::optional{next->id} : std::nullopt, reason);
  }
  if (current->size == Size::small)
    if (const View* next = best(paths, fit)) return change(now, next->id, PathChangeReason::path_lost);
  const auto upgrade = [&](const View& v) { return fit(v) && tier(v.kind) < tier(current->kind); };
  if (const View* next = best(paths, [&](const View& v) { return upgrade(v) && ready_at(v) <= now; }))
    return change(now, next->id, PathChangeReason::upgraded);
  for (const View& v : paths)
    if (upgrade(v)) next_ = earlier(next_, ready_at(v));

  doubt(now, *current, paths);
  if (second_ && now - doubt_since_ >= kDoubt) return change(now, second_, PathChangeReason::path_lost);
  if (const auto winner = wins_trial(now, *current, paths)) return change(now, winner, PathChangeReason::better_rtt);
  return std::nullopt;
}

void Selector::doubt(Instant now, const View& current, std::span<const View> paths) {
  if (!current.doubtful) {
    doubt_since_ = kNever;
    second_.reset();
    return;
  }
  if (doubt_since_ == kNever) doubt_since_ = now;
  const auto standby = [&](const View& v) { return v.id != current.id && sound(v); };
  const View* const before = find(paths, second_);
  if (!before || !standby(*before)) {
    const View* const next = best(paths, standby);
    second_ = next ? std::optional{next->id} : std::nullopt;
  }
  if (second_) next_ = earlier(next_, doubt_since_ + kDoubt);
}

/// One at a time: the best there is. Another one begins its trial anew.
std::optional<PathId> Selector::wins_trial(Instant now, const View& current, std::span<const View> paths) {
  const View* const better = best(
      paths, [&](const View& v) { return fit(v) && tier(v.kind) == tier(current.kind) && better_rtt(v, current); });
  const View* const before = find(paths, challenger_);
  const bool goes_on = better && before && fit(*before) && better_rtt(*before, current);
  if (!better) {
    challenger_.reset();
    return std::nullopt;
  }
  if (!goes_on) {
    challenger_ = better->id;
    trial_since_ = now;
    trial_samples_ = better->samples;
  }
  const View& on_trial = goes_on ? *before : *better;
  const Instant ends = std::max(trial_since_ + kTrial, ready_at(on_trial));
  if (now < ends) {
    next_ = earlier(next_, ends);
    return std::nullopt;
  }
  if (on_trial.samples - trial_samples_ < kTrialSamples) return std::nullopt;
  return on_trial.id;
}

}  // namespace pw::path
