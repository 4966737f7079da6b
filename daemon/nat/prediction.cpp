#include "nat/prediction.hpp"

#include <algorithm>
#include <utility>

namespace pw::nat {
namespace {

bool acceptable(const PunchMessage& sample) {
  return sample.first != 0 && sample.step != 0 && sample.step >= -kMaxStep && sample.step <= kMaxStep &&
         sample.count > 0 && sample.count <= kMaxWindow;
}

bool all_open(const SocketPool& pool, const std::vector<Via>& vias) {
  return std::ranges::all_of(vias, [&](Via v) { return pool.state(v) == SocketPool::State::open; });
}
bool any_failed(const SocketPool& pool, const std::vector<Via>& vias) {
  return std::ranges::any_of(vias, [&](Via v) { return pool.state(v) == SocketPool::State::failed; });
}

}  // namespace

std::optional<std::uint16_t> port_of(const PunchMessage& sample, std::uint32_t i) {
  const std::int64_t port = sample.first + std::int64_t{sample.step} * i;
  if (port < 1 || port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

// ---- Bracket

void Bracket::start(Instant now) {
  if (task_.servers.empty() || task_.step == 0) {
    failure_ = PunchFailure::infeasible;
    return;
  }
  begin();
  progress(now);
}

void Bracket::begin() {
  pool_.close_all_but(std::nullopt);
  sampler_.clear();
  burst_.clear();
  senders_.clear();
  before_ = pool_.open();
  after_ = pool_.open();
  for (std::size_t i = 0; i < kSenders; ++i) senders_.push_back(pool_.open());
  step_ = Step::opening;
}

void Bracket::progress(Instant now) {
  if (failure_ || held_) return;
  const SocketAddress& server = task_.servers[attempt_ % task_.servers.size()];
  if (step_ == Step::opening) {
    std::vector<Via> all = senders_;
    all.insert(all.end(), {before_, after_});
    if (any_failed(pool_, all)) failure_ = PunchFailure::budget;
    if (failure_ || !all_open(pool_, all)) return;
    sampler_.ask(now, before_, server);
    step_ = Step::before;
  }
  if (step_ == Step::before && sampler_.transmitted(before_)) {
    for (const Via via : senders_) burst_.push_back({path_by(via, task_.peer), task_.opener_ttl});
    step_ = Step::flows;
  }
  if (step_ == Step::flows && burst_.empty()) {
    sampler_.ask(now, after_, server);
    step_ = Step::after;
  }
  if (step_ == Step::after && sampler_.settled(before_) && sampler_.settled(after_)) judge();
}

void Bracket::judge() {
  const auto before = sampler_.outer(before_);
  const auto after = sampler_.outer(after_);
  if (before && after && before->ip == after->ip) {
    const int passed = after->port - before->port;
    const int between = passed / task_.step - 1;
    // Else they wrapped around, or these are no steps.
    if (passed % task_.step == 0 && between >= static_cast<int>(kSenders) && between <= static_cast<int>(kMaxWindow)) {
      messages_.push_back({.kind = PunchMessage::Kind::sample,
                           .attempt = attempt_,
                           .first = static_cast<std::uint16_t>(before->port + task_.step),
                           .step = task_.step,
                           .count = static_cast<std::uint32_t>(between)});
      sampler_.clear();
      step_ = Step::told;
      return;
    }
  }
  if (++attempt_ == kAttempts) {
    failure_ = PunchFailure::infeasible;
    return;
  }
  begin();
}

Instant Bracket::timer() const { return step_ == Step::after ? sampler_.poll_timeout() : kNever; }

// ---- Window

bool Window::handle_sample(Instant now, const PunchMessage& sample) {
  if (!acceptable(sample) || sample.attempt >= Bracket::kAttempts) return false;
  if (std::exchange(informed_, true)) return true;  // once a round: who says more would have us scan his address
  for (std::uint32_t i = 0; i < sample.count; ++i)
    if (const auto port = port_of(sample, i)) checks_.add(path_by(Via::own, {task_.peer.ip, *port}), now);
  return true;
}

// ---- Duel

void Duel::start(Instant now) {
  if (task_.servers.empty() || task_.step == 0) {
    failure_ = PunchFailure::infeasible;
    return;
  }
  begin(now, attempt_);
}

void Duel::begin(Instant now, std::uint8_t attempt) {
  pool_.close_all_but(std::nullopt);
  sampler_.clear();
  checks_.clear();
  burst_.clear();
  senders_.clear();
  attempt_ = attempt;
  if (theirs_ && theirs_->attempt != attempt) theirs_.reset();
  probe_ = pool_.open();
  for (std::size_t i = 0; i < kSenders; ++i) senders_.push_back(pool_.open());
  step_ = Step::opening;
  ends_ = kNever;
  progress(now);
}

void Duel::next_attempt(Instant now) {
  if (attempt_ + 1 == kAttempts) {
    failure_ = PunchFailure::timeout;
    return;
  }
  begin(now, static_cast<std::uint8_t>(attempt_ + 1));
}

void Duel::tell(const SocketAddress& outer) {
  const int first = outer.port + task_.step;
  const int last = outer.port + task_.step * static_cast<int>(kSenders);
  if (std::min(first, last) < 1 || std::max(first, last) > 65535) return;  // they will wrap around: the next attempt
  messages_.push_back({.kind = PunchMessage::Kind::sample,
                       .attempt = attempt_,
                       .first = static_cast<std::uint16_t>(first),
                       .step = task_.step,
                       .count = kSenders});
  step_ = Step::waiting;
}

void Duel::progress(Instant now) {
  if (failure_ || held_) return;
  if (step_ == Step::opening) {
    std::vector<Via> all = senders_;
    all.push_back(probe_);
    if (any_failed(pool_, all)) failure_ = PunchFailure::budget;
    if (failure_ || !all_open(pool_, all)) return;
    sampler_.ask(now, probe_, task_.servers[attempt_ % task_.servers.size()]);
    step_ = Step::measuring;
  }
  if (step_ == Step::measuring && sampler_.settled(probe_)) {
    const auto outer = sampler_.outer(probe_);
    sampler_.clear();
    if (outer) tell(*outer);
    if (step_ != Step::waiting) return next_attempt(now);
  }
  if (step_ == Step::waiting && theirs_) {
    const auto aim = port_of(*theirs_, theirs_->count - 1);
    if (!aim) return next_attempt(now);
    for (const Via via : senders_) {
      const PathAddress path = path_by(via, {task_.peer.ip, *aim});
      burst_.push_back({path, task_.opener_ttl});
      // The other's flows begin when it knows our ports, which it does half a round trip from now at the latest.
      checks_.add(path, now + task_.rtt);
    }
    step_ = Step::flows;
  }
  if (step_ == Step::flows && burst_.empty()) {
    ends_ = now + 5 * task_.rtt + 200ms;
    step_ = Step::checking;
  }
  if (step_ == Step::checking && now >= ends_) next_attempt(now);
}

bool Duel::handle_sample(Instant now, const PunchMessage& sample) {
  if (!acceptable(sample) || sample.attempt >= kAttempts) return false;
  if (sample.attempt < attempt_ || held_) return true;  // overtaken
  informed_ = true;
  theirs_ = sample;
  if (sample.attempt > attempt_) begin(now, sample.attempt);
  return true;
}

Instant Duel::timer() const {
  if (step_ == Step::measuring) return sampler_.poll_timeout();
  return step_ == Step::checking && !held_ ? ends_ : kNever;
}

}  // namespace pw::nat
