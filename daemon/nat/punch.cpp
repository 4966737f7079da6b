#include "nat/punch.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"
#include "nat/prediction.hpp"

namespace pw::nat {
namespace {

// The other end's openers take a few packets' pace after one round trip; where loss made its word late, our checks would be
// the early ones.
constexpr Duration kReadyTimeout = 1s;
// From the other end's proof to ours, several round trips at least: both paths and one answer, repeated.
constexpr Duration kValidationTimeout = 2s;

std::unique_ptr<PunchMethod> make_method(const FamilyPlan& plan, MethodTask task, SocketPool& pool, Rng rng) {
  const bool hard = plan.local == Role::hard;
  switch (plan.method) {
    case Method::prediction:
      if (!hard) return std::make_unique<Window>(std::move(task), pool, rng);
      if (plan.remote == Role::hard) return std::make_unique<Duel>(std::move(task), pool, rng);
      return std::make_unique<Bracket>(std::move(task), pool, rng);
    case Method::birthday:
      if (hard) return std::make_unique<SearchSockets>(std::move(task), pool, rng);
      return std::make_unique<Probes>(std::move(task), pool, rng);
    case Method::punch:
    case Method::none: return nullptr;
  }
  return nullptr;
}

}  // namespace

Punch::Punch(PunchTask task, PunchOptions options, PunchShare share, Rng rng)
    : task_{std::move(task)},
      options_{options},
      share_{share},
      rng_{rng},
      sockets_{task_.plan.family, share.next_via},
      plain_{task_.rtt} {}

Punch::~Punch() {
  if (holds_slot_) share_.search.release();
}

// ---- beginning

std::optional<SocketAddress> Punch::supported_peer() const {
  for (const Candidate& c : task_.theirs) {
    const bool outer = c.kind != CandidateKind::relayed && c.address.ip.family() == task_.plan.family;
    if (outer && std::ranges::find(task_.observed, c.address.ip) != task_.observed.end()) return c.address;
  }
  return std::nullopt;
}

void Punch::start(Instant now, Instant start_at) {
  if (begun_ || end_) return;
  begin(now, start_at);
  if (end_) return messages_.clear();  // nobody has heard of this round
  tell({.kind = PunchMessage::Kind::start, .method = chosen().method, .family = task_.plan.family});
}

void Punch::begin(Instant now, Instant start_at) {
  begun_ = true;
  start_at_ = std::max(now, start_at);
  const bool searches = chosen().method == Method::birthday;
  // Who waits to be told where to search has not begun to.
  deadline_ = start_at_ + (searches && chosen().local == Role::hard ? options_.search_timeout : options_.timeout);
  checks_by_ = start_at_ + kReadyTimeout + 2 * task_.rtt;
  add_plain(start_at_);
  if (chosen().method == Method::none && plain_.poll_timeout() == kNever)
    return fail(chosen().why == Why::no_candidates ? PunchFailure::no_candidates : PunchFailure::infeasible,
                describe(chosen().why));
  if (chosen().method == Method::punch && plain_.poll_timeout() == kNever)
    return fail(PunchFailure::no_candidates, "the other end has no address that may be tried");
  if (chosen().method != Method::prediction && !searches) return;
  const auto peer = supported_peer();
  if (!peer) return fail(PunchFailure::infeasible, "no address of the other end is confirmed by our relay or bootstrap");
  if (searches && !share_.search.take()) return fail(PunchFailure::budget, "another search is under way");
  holds_slot_ = searches;
  method_ = make_method(chosen(),
                        {.peer = *peer,
                         .servers = task_.servers,
                         .rtt = task_.rtt,
                         .step = task_.step,
                         .opener_ttl = options_.opener_ttl,
                         .sockets = options_.sockets,
                         .probes = options_.probes,
                         .interval = options_.probe_interval},
                        sockets_, rng_.split());
}

void Punch::add_plain(Instant start_at) {
  for (const Candidate& c : task_.theirs) {
    const Family family = c.address.ip.family();
    const FamilyPlan& plan = task_.plan.families[static_cast<std::size_t>(family)];
    const bool wanted = plan.plain == Plain::all || (plan.plain == Plain::hosts && c.kind == CandidateKind::host);
    if (!wanted || c.kind == CandidateKind::relayed) continue;
    const PathAddress path{IpAddress::any(family), c.address, Via::own};
    if (plan.local_waits) {
      plain_.add(path, start_at + task_.rtt + options_.patience);
    } else {
      plain_.add_opened(path, start_at, options_.opener_ttl);
    }
  }
}

void Punch::begin_checks(Instant at) {
  if (checks_at_ != kNever) return;
  checks_at_ = at;
  checks_by_ = kNever;
  plain_.begin_checks(at);
}

// ---- input

bool Punch::handle_message(Instant now, const PunchMessage& message) {
  if (end_ || message.round != task_.round) return false;
  using Kind = PunchMessage::Kind;
  if (message.kind == Kind::start ? begun_ || task_.initiator : !begun_) return false;
  switch (message.kind) {
    case Kind::start:
      answered_ = true;
      if (message.method != chosen().method || message.family != task_.plan.family) {
        fail(PunchFailure::coordination, "the two ends have made different plans");
        return true;
      }
      begin(now, now);
      if (end_) return true;
      break;
    case Kind::ready:
      begin_checks(std::max(now, start_at_));
      break;
    case Kind::sample:
      if (!method_ || !method_->handle_sample(now, message)) return false;
      if (chosen().method == Method::birthday && !peer_done_at_) deadline_ = start_at_ + options_.search_timeout;
      break;
    case Kind::done:
      if (!peer_done_at_) {
        peer_done_at_ = now;
        deadline_ = now + std::max(kValidationTimeout, 10 * task_.rtt);
      }
      if (method_) method_->hold();
      break;
    case Kind::cancel:
      if (message.failure == PunchFailure::none) {
        finish({PunchResult::cancelled, planned(), PunchFailure::none, "by the other end"});
      } else if (message.failure == PunchFailure::timeout) {
        fail(PunchFailure::timeout);
      } else {
        fail(PunchFailure::coordination, "the other end gave up");
      }
      break;
  }
  answered_ = true;
  progress(now);
  return true;
}

bool Punch::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  if (!sockets_.handle_socket(via, bound.has_value())) return false;
  progress(now);
  return true;
}

bool Punch::handle_stun(Instant now, const PathAddress& from, const wire::stun::Message& message) {
  if (end_ || !method_ || !method_->handle_stun(from, message)) return false;
  progress(now);
  return true;
}

void Punch::handle_proved(Instant, const PathAddress& path) {
  if (end_) return;
  if (sockets_.owns(path.via)) won_ = path.via;
  tell({.kind = PunchMessage::Kind::done});
  finish({PunchResult::success, method_of(path), PunchFailure::none, {}});
}

void Punch::cancel() {
  if (end_) return;
  if (begun_) tell({.kind = PunchMessage::Kind::cancel});
  finish({PunchResult::cancelled, planned(), PunchFailure::none, "by this end"});
}

void Punch::handle_timeout(Instant now) {
  if (end_ || !begun_) return;
  if (now >= deadline_) return expire();
  if (now >= checks_by_) begin_checks(now);
  progress(now);
}

void Punch::progress(Instant now) {
  if (end_ || !begun_ || now < start_at_) return;
  if (!ready_ && plain_.opened()) {
    ready_ = true;
    tell({.kind = PunchMessage::Kind::ready});
  }
  if (!method_) return;
  if (!method_begun_) {
    method_begun_ = true;
    method_->start(now);
  }
  method_->handle_timeout(now);
  method_->progress(now);
  while (auto message = method_->poll_message()) tell(*message);
  if (const auto failure = method_->failure()) fail(*failure);
}

// ---- ends

void Punch::expire() {
  if (peer_done_at_) return fail(PunchFailure::validation);
  if (!answered_) return fail(PunchFailure::coordination, "the other end does not answer");
  const bool finds = chosen().local != Role::hard || chosen().remote == Role::hard;
  if (method_ && finds && !method_->informed())
    return fail(PunchFailure::coordination, "the other end does not tell its ports");
  if (starved_ || capped_) return fail(PunchFailure::budget);
  if (chosen().method == Method::none) return fail(PunchFailure::infeasible, describe(chosen().why));
  fail(PunchFailure::timeout);
}

void Punch::fail(PunchFailure failure, std::string_view detail) {
  if (end_) return;
  tell({.kind = PunchMessage::Kind::cancel, .failure = failure});
  finish({PunchResult::failure, planned(), failure, detail});
}

void Punch::finish(PunchEnd end) {
  end_ = end;
  if (holds_slot_) share_.search.release();
  holds_slot_ = false;
  sockets_.close_all_but(won_);
  method_.reset();
  plain_.clear();
}

Traversal Punch::planned() const {
  switch (chosen().method) {
    case Method::punch: return chosen().why == Why::port_mapping ? Traversal::port_mapping : Traversal::punch;
    case Method::prediction: return Traversal::prediction;
    case Method::birthday: return Traversal::birthday;
    case Method::none: return Traversal::none;
  }
  return Traversal::none;
}

Traversal Punch::method_of(const PathAddress& path) const {
  const auto listed = std::ranges::find(task_.theirs, path.remote, &Candidate::address);
  if (listed != task_.theirs.end() && listed->kind == CandidateKind::port_mapped) return Traversal::port_mapping;
  const bool guessed = path.via != Via::own || listed == task_.theirs.end();
  if (method_ && guessed && method_->aimed(path)) return planned();
  // Which port of ours a packet came to can't be seen; where the plan counts on a mapped one, it was that.
  return planned() == Traversal::port_mapping && listed == task_.theirs.end() ? Traversal::port_mapping : Traversal::punch;
}

void Punch::tell(PunchMessage message) {
  message.round = task_.round;
  messages_.push_back(message);
}

// ---- output

std::optional<PunchMessage> Punch::poll_message() {
  return taken(messages_);
}

std::optional<event::Request> Punch::poll_request() { return sockets_.poll_request(); }

bool Punch::take_token(Instant now) {
  const bool waited = std::exchange(starved_, !share_.packets.take(now));
  if (!starved_) return true;
  held_back_ += waited ? 0 : 1;
  retry_at_ = now + kPace;
  return false;
}

bool Punch::within_caps(const IpAddress& to) {
  unsigned& sent = to_address_[to];
  if (packets_ == kMaxPackets || sent == kMaxToAddress) {
    capped_ = true;
    return false;
  }
  ++packets_;
  ++sent;
  return true;
}

std::optional<Transmit> Punch::poll_transmit(Instant now) {
  if (end_ || !method_ || !method_begun_ || now < retry_at_ || method_->transmit_at() > now) return std::nullopt;
  if (!take_token(now)) return std::nullopt;
  std::optional<Transmit> transmit = method_->poll_transmit(now);
  progress(now);
  if (transmit && !within_caps(transmit->path.remote.ip)) transmit.reset();
  return transmit;
}

std::optional<Order> Punch::poll_order(Instant now) {
  while (!end_ && begun_ && now >= start_at_ && now >= retry_at_) {
    const bool burst = method_ && method_->has_burst();
    const bool plain = plain_.poll_timeout() <= now;
    const bool other = method_ && method_->order_at() <= now;
    if (!burst && (now < next_slot_ || (!plain && !other))) break;
    if (!take_token(now)) break;
    std::optional<Order> order;
    if (burst) {
      order = method_->take_burst();
    } else {
      // RFC 8445 section 14.2: "MUST NOT be sent more often than once every 5 ms".
      next_slot_ = now + kPace;
      order = plain ? plain_.poll(now) : method_->poll_order(now);
    }
    progress(now);
    if (order && within_caps(order->path.remote.ip)) return order;
  }
  return std::nullopt;
}

Instant Punch::poll_timeout() const {
  if (end_ || !begun_) return kNever;
  Instant packets = plain_.poll_timeout();
  if (method_) packets = earlier(packets, method_->order_at());
  packets = std::max(packets, next_slot_);
  if (method_ && method_->has_burst()) packets = retry_at_;
  if (method_ && method_begun_) packets = earlier(packets, method_->transmit_at());
  Instant next = std::max({packets, retry_at_, start_at_});
  if (!ready_ && plain_.opened()) next = earlier(next, start_at_);
  if (method_) next = earlier(next, method_begun_ ? method_->timer() : start_at_);
  return earlier(next, earlier(deadline_, checks_by_));
}

}  // namespace pw::nat
