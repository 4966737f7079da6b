// When a machine's programs get to run: its clock, its pauses, and whose turn it is.
#include <algorithm>

#include "base/check.hpp"
#include "sim/net/machine.hpp"
#include "sim/net/net.hpp"

namespace pw::net {

// ---- the clock

Instant Machine::now() const { return (asleep_since_ ? *asleep_since_ : net_.now_) + ahead_; }

Instant Machine::to_net(Instant at) const {
  if (at == kNever) return kNever;
  // Asleep, its clock goes on when it wakes.
  const Duration missed = asleep_since_ ? asleep_until_ - *asleep_since_ : Duration{};
  return saturating_add(at, missed - ahead_);
}

void Machine::set_clock(Duration ahead) {
  PW_CHECK(programs_.empty());
  ahead_ = ahead;
}

// ---- pauses

bool Machine::frozen() const { return frozen_until_ > net_.now_; }
bool Machine::asleep() const { return asleep_since_.has_value(); }

void Machine::freeze(Duration d) {
  frozen_until_ = std::max(frozen_until_, net_.now_ + d);
  tell_pause();
}

void Machine::thaw() {
  if (!frozen()) return;
  frozen_until_ = net_.now_;
  tell_pause();
}

void Machine::stop(Duration d) {
  if (!stopped_since_) stopped_since_ = now();
  freeze(d);
}

void Machine::suspend(Duration d) {
  if (!asleep_since_) asleep_since_ = net_.now_;
  asleep_until_ = std::max(asleep_until_, net_.now_ + d);
  tell_pause();
}

void Machine::tell_pause() {
  schedule();
  for (Observer* o : net_.observers_) o->paused(net_.now_, *this, paused_until());
}

void Machine::wake_up() {
  const Duration slept = net_.now_ - *asleep_since_;
  asleep_since_.reset();
  ahead_ -= slept;
  gap_ += slept;
}

// ---- turns

Instant Machine::paused_until() const { return asleep_since_ ? std::max(asleep_until_, frozen_until_) : frozen_until_; }

/// Nothing else has to come first: what arrives now may be handled now.
bool Machine::can_run() const {
  return !asleep_since_ && !stopped_since_ && gap_ == Duration{} && frozen_until_ <= net_.now_ &&
         busy_until_ <= net_.now_;
}

Instant Machine::next_turn() const {
  const Instant run = std::max({net_.now_, paused_until(), busy_until_});
  if (asleep_since_) return asleep_until_;
  if (!waiting_.empty() || stopped_since_ || gap_ > Duration{}) return run;
  Instant next = kNever;
  for (const Running& r : programs_) {
    if (r.network_changed) return run;
    next = earlier(next, to_net(r.deadline));
  }
  return next == kNever ? kNever : std::max(next, run);
}

void Machine::schedule() { net_.timers_.set(index_, next_turn()); }

template <class Call>
void Machine::call(Program& program, Call call) {
  net_.delivering_ = false;  // what it sends meets no other program before it has returned
  call(program);
  // It may have closed its sockets, and even be gone.
  if (Running* r = running(program)) r->deadline = r->program->poll_timeout();
}

/// The programs that are known now, as long as they stay known.
template <class Call>
void Machine::call_all(Call call) {
  const std::vector<Running> before = programs_;
  for (const Running& r : before)
    if (running(*r.program) != nullptr) call(*r.program);
}

void Machine::handle(const Packet& packet, Instant received_at) {
  const auto socket = sockets_.find(key(packet.protocol, packet.destination.port));
  PW_CHECK(socket != sockets_.end());
  const Instant at = now();
  if (cost_of_arrival > Duration{}) busy_until_ = net_.now_ + cost_of_arrival;
  call(*socket->second.program, [&](Program& p) {
    p.handle_arrival(at, {packet.protocol, packet.destination.port, {packet.destination.ip, packet.source}, received_at,
                          packet.ttl, packet.payload});
  });
  schedule();
}

void Machine::turn() {
  if (asleep_since_ && asleep_until_ <= net_.now_) wake_up();
  if (asleep_since_ || frozen_until_ > net_.now_ || busy_until_ > net_.now_) return schedule();

  const Instant at = now();
  if (stopped_since_) gap_ += at - *stopped_since_;
  stopped_since_.reset();
  if (const Duration gap = std::exchange(gap_, Duration{}); gap > Duration{})
    call_all([&](Program& program) { call(program, [&](Program& p) { p.handle_gap(at, gap); }); });
  call_all([&](Program& program) {
    if (std::exchange(running(program)->network_changed, false))
      call(program, [&](Program& p) { p.handle_network_change(at); });
  });

  while (can_run() && !waiting_.empty() && batch_ < kBatch) {
    ++batch_;
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    sockets_.at(key(next.packet.protocol, next.packet.destination.port)).waiting -=
        next.packet.payload.size() + kReceiveOverhead;
    handle(next.packet, next.received_at);
  }
  if (can_run()) {
    batch_ = 0;
    call_all([&](Program& program) {
      if (running(program)->deadline > at) return;
      ++net_.timers_fired_;
      call(program, [&](Program& p) { p.handle_timeout(at); });
    });
  }
  schedule();
}

}  // namespace pw::net
