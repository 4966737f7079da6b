#include "app/observers.hpp"

#include <utility>

#include "io/clock.hpp"
#include "observe/entry.hpp"

namespace pw::app {
namespace {

constexpr Duration kLogTick = 1s;  // as Log::tick asks

}  // namespace

Observers::Observers(observe::Log& log, observe::Metrics& metrics, EventQueue& events, std::function<void()> wake)
    : log_{log}, metrics_{metrics}, events_{events}, wake_{std::move(wake)} {
  follow_clock(io::Clock::now());
}

void Observers::follow_clock(Instant now) {
  wall_offset_ = io::Clock::wall().time_since_epoch() - now.time_since_epoch();
}

void Observers::record(const event::Record& record) {
  metrics_.handle(record);
  log_.handle(record);
  if (std::holds_alternative<event::SessionEstablished>(record.event)) {
    reached_.store(true, std::memory_order_relaxed);
    connected_.fetch_add(1, std::memory_order_relaxed);
  } else if (std::holds_alternative<event::ServiceUp>(record.event)) {
    reached_.store(true, std::memory_order_relaxed);
  } else if (std::holds_alternative<event::SessionEnded>(record.event)) {
    connected_.fetch_sub(1, std::memory_order_relaxed);
  }
  if (!observe::worth_keeping(record.event)) return;
  const WallTime at{record.at.time_since_epoch() + wall_offset_};
  if (events_.push({++sequence_, at, record.event})) wake_();
}

void Observers::tick(Instant now) {
  last_turn_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  follow_clock(now);
  if (now - log_ticked_ >= kLogTick) {
    log_.tick(now);
    log_ticked_ = now;
  }
  if (!tell_) return;
  const std::uint64_t lines = log_.dropped();
  if (const auto n = lines - std::exchange(log_dropped_, lines); n > 0)
    tell_(event::QueueDropped{event::Queue::log, n});
  if (const auto n = events_.take_dropped(); n > 0) tell_(event::QueueDropped{event::Queue::stream, n});
}

}  // namespace pw::app
