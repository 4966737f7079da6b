#include "nat/behaviour_questions.hpp"

#include <algorithm>

#include "base/taken.hpp"

namespace pw::nat {
namespace {

namespace stun = wire::stun;

// A repeat waits for 1.5 of the longest round trips that were seen, and a hairpin, whose way ends at the outermost NAT,
// for half of that.
constexpr int kPacePercent = 150;
constexpr int kHairpinPercent = 75;
// Below that, timers and busy servers matter more than the path.
constexpr Duration kLeastPace = 15ms;
// Silence that loss would make more probable than this is not believed while more attempts are allowed.
constexpr double kDoubt = 1e-3;
// What is expected of a path before anything was seen of it: as if half a packet of 4.5 had been lost.
constexpr double kLostBefore = 0.5;
constexpr double kAnsweredBefore = 4;

}  // namespace

void Questions::ask(Instant now, const Question& question) { open_.push_back({question, now, {}}); }

void Questions::drop(Topic topic) {
  std::erase_if(open_, [&](const Open& o) { return o.question.topic == topic; });
}

void Questions::clear() {
  open_.clear();
  transmits_.clear();
  ended_.clear();
}

bool Questions::open(Topic topic) const {
  return std::ranges::any_of(open_, [&](const Open& o) { return o.question.topic == topic; });
}
bool Questions::any_open_but(Topic topic) const {
  return std::ranges::any_of(open_, [&](const Open& o) { return o.question.topic != topic; });
}

/// Of a share that is itself known from so many attempts only, beta-distributed: the mean of its power.
double Questions::silence_by_loss(unsigned attempts) const {
  const double lost = kLostBefore + lost_;
  const double all = lost + kAnsweredBefore + answered_;
  double p = 1;
  for (unsigned i = 0; i < attempts; ++i) p *= (lost + i) / (all + i);
  return p;
}

/// Attempts that a question gets.
unsigned Questions::enough(const Open& open) const {
  if (open.question.topic == Topic::server) return 2 * attempts_;
  if (open.question.topic == Topic::sample) return attempts_;  // others take its place
  unsigned n = attempts_;
  while (n < 2 * attempts_ && silence_by_loss(n) > kDoubt) ++n;
  return n;
}

Duration Questions::pace(const Open& open) const {
  // How far a server is that has not answered yet, nobody knows: its answer may come after more attempts.
  if (open.question.topic == Topic::server) return interval_ / 2;
  if (!longest_rtt_) return interval_;
  const int percent = open.question.topic == Topic::hairpin ? kHairpinPercent : kPacePercent;
  return std::clamp<Duration>(*longest_rtt_ * percent / 100, std::min(kLeastPace, interval_), interval_);
}

/// When its next attempt, or the belief in silence, is due; attempts wait for a slot besides.
Instant Questions::due(const Open& open) const {
  return open.attempts.empty() ? open.asked_at : open.attempts.back().sent_at + pace(open);
}

void Questions::send(Instant now, Open& open) {
  stun::Message request;
  rng_.fill(request.transaction);
  if (open.question.change != stun::ChangeRequest{}) request.change = open.question.change;
  open.attempts.push_back({request.transaction, now});
  transmits_.push_back(
      {.path = {IpAddress::any(open.question.to.ip.family()), open.question.to, open.question.via},
       .bytes = stun::encode(request)});
}

void Questions::end(std::vector<Open>::iterator open, Ended ended) {
  ended.topic = open->question.topic;
  ended.number = open->question.number;
  ended.attempts = static_cast<unsigned>(open->attempts.size());
  ended_.push_back(std::move(ended));
  open_.erase(open);
}

/// Sets what the message says to an attempt of this question; false if it is none that the question allows.
bool Questions::answers(const Open& open, const PathAddress& from, const stun::Message& message, Ended& ended) const {
  const Question& q = open.question;
  if (message.method != stun::kBinding) return false;
  ended.outcome = Outcome::answered;
  if (q.topic == Topic::hairpin) return message.kind == stun::Class::request && from.via == q.arrives;
  if (from.via != q.via) return false;
  if (message.kind == stun::Class::error) {
    ended.outcome = Outcome::refused;
    return from.remote == q.to;
  }
  if (message.kind != stun::Class::success || !message.mapped || message.mapped->ip.family() != q.to.ip.family())
    return false;
  if (from.remote != q.from) {
    ended.outcome = Outcome::refused;
    return from.remote == q.to;
  }
  ended.mapped = message.mapped;
  ended.other = message.other_address;
  return true;
}

bool Questions::handle_stun(Instant now, Instant received_at, const PathAddress& from, const stun::Message& message) {
  for (auto open = open_.begin(); open != open_.end(); ++open) {
    const auto attempt =
        std::ranges::find(open->attempts, message.transaction, [](const Attempt& a) { return a.id; });
    if (attempt == open->attempts.end()) continue;
    Ended ended{};
    if (!answers(*open, from, message, ended)) return false;
    if (open->question.topic != Topic::hairpin) {
      const Duration rtt = std::max(std::min(now, received_at) - attempt->sent_at, Duration{});
      longest_rtt_ = std::max(longest_rtt_.value_or(rtt), rtt);
      ++answered_;
      lost_ += static_cast<unsigned>(attempt - open->attempts.begin());
    }
    ended.at_once = attempt == open->attempts.begin();
    end(open, std::move(ended));
    return true;
  }
  return false;
}

void Questions::handle_timeout(Instant now) {
  for (auto open = open_.begin(); open != open_.end();) {
    if (open->attempts.size() < enough(*open) || due(*open) > now) {
      ++open;
      continue;
    }
    const auto at = open - open_.begin();
    end(open, {.topic = {}, .number = 0, .outcome = Outcome::silent, .mapped = {}, .other = {}});
    open = open_.begin() + at;
  }
  if (now < next_slot_) return;
  const auto earliest = std::ranges::min_element(open_, {}, [&](const Open& o) {
    return o.attempts.size() < enough(o) ? due(o) : kNever;  // the first of those asked together
  });
  if (earliest == open_.end() || earliest->attempts.size() >= enough(*earliest) || due(*earliest) > now) return;
  send(now, *earliest);
  next_slot_ = now + kGap;
}

std::optional<Transmit> Questions::poll_transmit() {
  return taken(transmits_);
}

std::optional<Ended> Questions::poll_ended() {
  return taken(ended_);
}

Instant Questions::poll_timeout() const {
  Instant next = kNever;
  for (const Open& o : open_)
    next = earlier(next, o.attempts.size() < enough(o) ? std::max(due(o), next_slot_) : due(o));
  return next;
}

}  // namespace pw::nat
