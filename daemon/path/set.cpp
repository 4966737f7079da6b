#include "path/set.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"

namespace pw::path {

using event::PathChangeReason;
using event::PathHealth;
using event::PathKind;

Set::Set(Keys keys, const Options& options, const probe::Starvation& starvation, Rng rng)
    : keys_{std::move(keys)},
      options_{options},
      starvation_{starvation},
      rng_{std::move(rng)},
      checks_{keys_.own_tag} {}

// ---- commands

Verdict Set::add(Instant now, const PathAddress& address, PathKind kind, bool proved) {
  if (find(address)) return {};
  const Named name{address, kind};
  if (!proved) {
    if (!may_check(address, kind)) return tl::unexpected(Refusal::forbidden_address);
    if (!candidates_.order(now, name)) return tl::unexpected(Refusal::table_full);
    handle_timeout(now);
    return {};
  }
  if (!create(now, name, Size::full)) return tl::unexpected(Refusal::table_full);
  select(now);
  handle_timeout(now);
  return {};
}

Verdict Set::check(Instant now, const PathAddress& address, PathKind kind, std::uint8_t ttl) {
  if (!may_check(address, kind)) return tl::unexpected(Refusal::forbidden_address);
  if (Path* path = find(address); path && ttl == 0) {
    if (!path->proved()) send_probe(now, *path);
    return {};
  }
  send_check(now, {.to = address, .kind = kind}, ttl);
  return {};
}

void Set::close(Instant now, const PathAddress& address, PathChangeReason reason) {
  candidates_.remove(address);
  checks_.abandon(address);
  Path* path = find(address);
  if (!path) return;
  forget(*path, Forgotten::closed);
  select(now, reason);
}

void Set::close_socket(Instant now, Via via) {
  candidates_.remove(via);
  checks_.abandon(via);
  const auto by_it = [via](const Path& p) { return p.name.address.via == via; };
  bool any = false;
  for (auto found = std::ranges::find_if(paths_, by_it); found != paths_.end(); found = std::ranges::find_if(paths_, by_it)) {
    forget(*found, Forgotten::closed);
    any = true;
  }
  if (any) select(now);
}

void Set::rename(Instant now, const PathAddress& address, PathKind kind) {
  if (Candidate* candidate = candidates_.find(address)) candidate->name.kind = kind;
  Path* path = find(address);
  if (!path || path->name.kind == kind) return;
  const Named before = path->name;
  path->name.kind = kind;
  if (path->id == selector_.first()) {
    events_.push_back(SendingPathChanged{before, path->name, PathChangeReason::upgraded, now - path->last_proof()});
    in_use_.name = path->name;
  }
  select(now);
}

void Set::probe_now(Instant now) {
  for (Path& path : paths_) path.liveness.probe_now(now);
  handle_timeout(now);
}

void Set::doubt_full_size(Instant now, Instant since) {
  if (Path* path = find(selector_.first())) path->size.doubt(now, since);
}

void Set::set_intervals(Instant now, const Options& options) {
  options_ = options;
  set_paces(now);
}

void Set::network_changed(Instant now, std::span<const IpAddress> own) {
  for (std::size_t i = 0; i < paths_.size();) {
    Path& path = paths_[i];
    const PathAddress& address = path.name.address;
    const bool gone = !relayed(path.name.kind) && !address.local.is_unspecified() &&
                      std::ranges::find(own, address.local) == own.end();
    if (gone) {
      Named moved = path.name;
      moved.address.local = IpAddress::any(address.remote.ip.family());
      const auto same = [&](const Path& p) { return p.id != path.id && same_way(p.name.address, moved.address); };
      if (const auto twin = std::ranges::find_if(paths_, same); twin != paths_.end()) {
        const bool twin_stays = twin->alive() || !path.alive();
        forget(twin_stays ? path : *twin, Forgotten::closed);
        i = 0;
        continue;
      }
      move(now, path, moved);
    }
    path.size.restart(now);
    ++i;
  }
  select(now, PathChangeReason::network_change);
  probe_now(now);
}

void Set::traffic_sent(Instant now) {
  for (const auto id : {selector_.first(), selector_.second()})
    if (Path* path = find(id)) path->traffic_sent(now);
}

void Set::node_was_late(Instant now) {
  for (Path& path : paths_) path.node_was_late(now);
  candidates_.node_was_late(now);
  selector_.restart_wait(now);
}

// ---- time

void Set::handle_timeout(Instant now) {
  while (const auto due = candidates_.poll_due(now)) send_check(now, {.to = due->address, .kind = due->kind});
  while (const auto over = candidates_.poll_given_up(now))
    events_.push_back(PathForgotten{*over, Forgotten::unanswered});
  for (Path& path : paths_) turn(now, path);
  forget_dead(now);
  select(now);
}

void Set::turn(Instant now, Path& path) {
  const PathHealth before = path.liveness.health();
  if (path.liveness.expire(now)) health_changed(now, path, before);
  if (path.size.judge_at() <= now) {
    if (path.size.expire(now, path.last_proof())) events_.push_back(SizeJudged{path.name, path.size.verdict()});
    path.liveness.probe_now(now);  // do small ones pass meanwhile?
  }
  if (path.liveness.next_probe() <= now) send_probe(now, path);
  if (path.full_check_due(now)) send_full_check(now, path);
}

Instant Set::poll_timeout() const {
  Instant next = earlier(candidates_.next_timeout(), selector_.next_timeout());
  for (const Path& path : paths_) {
    next = earlier(next, path.next_timeout());
    if (path.dead_since && paths_.size() > 1) next = earlier(next, *path.dead_since + kForgetDead);
  }
  return next;
}

// ---- output and getters

std::optional<Transmit> Set::poll_transmit() { return taken(transmits_); }
std::optional<Event> Set::poll_event() { return taken(events_); }

std::vector<Snapshot> Set::snapshot() const {
  std::vector<Snapshot> out;
  for (const Path& path : paths_) out.push_back(path.snapshot(path.id == selector_.first()));
  return out;
}

std::optional<Instant> Set::last_proof() const {
  std::optional<Instant> latest;
  for (const Path& path : paths_) latest = std::max(latest, std::optional{path.last_proof()});
  return latest;
}

bool Set::uses(Via via) const {
  return std::ranges::any_of(paths_, [via](const Path& p) { return p.name.address.via == via; });
}

// ---- the table

Path* Set::find(const PathAddress& address) {
  const auto exact = std::ranges::find_if(paths_, [&](const Path& p) { return p.name.address == address; });
  if (exact != paths_.end()) return &*exact;
  const auto found = std::ranges::find_if(paths_, [&](const Path& p) { return same_way(p.name.address, address); });
  return found == paths_.end() ? nullptr : &*found;
}

Path* Set::find(std::optional<PathId> id) {
  const auto found = std::ranges::find_if(paths_, [&](const Path& p) { return p.id == id; });
  return found == paths_.end() ? nullptr : &*found;
}

Path* Set::create(Instant now, const Named& name, Size size) {
  if (paths_.size() >= kMaxPaths && !make_room()) return nullptr;
  const Candidate* candidate = candidates_.find(name.address);
  const Hearing heard = candidate ? candidate->heard : Hearing{};
  candidates_.remove(name.address);
  const Path::Timing timing{options_.interval, rng_.up_to(options_.interval), options_.full_interval};
  return &paths_.emplace_back(PathId{next_path_++}, name, now, size, heard, timing);
}

/// Among those that no packets go out on: the dead before the living, then who was proved longest ago.
bool Set::make_room() {
  Path* worst = nullptr;
  const auto rank = [](const Path& p) { return std::pair{p.alive(), p.last_proof()}; };
  for (Path& path : paths_) {
    if (path.id == selector_.first() || path.id == selector_.second()) continue;
    if (!worst || rank(path) < rank(*worst)) worst = &path;
  }
  if (!worst) return false;
  forget(*worst, Forgotten::evicted);
  return true;
}

void Set::forget(Path& path, Forgotten why) {
  events_.push_back(PathForgotten{path.name, why});
  paths_.erase(paths_.begin() + (&path - paths_.data()));
}

void Set::move(Instant now, Path& path, const Named& to) {
  const Named from = std::exchange(path.name, to);
  path.mapped.reset();
  events_.push_back(PathMoved{from, to});
  if (path.id != selector_.first()) return;
  events_.push_back(SendingPathChanged{from, to, PathChangeReason::network_change, now - path.last_proof()});
  in_use_.name = to;
}

void Set::forget_dead(Instant now) {
  const auto over = [&](const Path& p) { return p.dead_since && now - *p.dead_since >= kForgetDead; };
  while (paths_.size() > 1) {
    const auto found = std::ranges::find_if(paths_, over);
    if (found == paths_.end()) return;
    forget(*found, Forgotten::dead);
  }
}

void Set::health_changed(Instant now, Path& path, PathHealth from) {
  const PathHealth to = path.liveness.health();
  const Duration silence = now - path.last_proof();
  events_.push_back(HealthChanged{path.name, from, to, silence});
  if (to == PathHealth::dead) path.dead_since = now;
  if (from != PathHealth::dead) return;
  path.dead_since.reset();
  path.steady_since = now;
  path.size.restart(now);  // who knows what it is now
}

}  // namespace pw::path
