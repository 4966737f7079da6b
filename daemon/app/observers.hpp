// Observers: hands what the network thread tells to everybody who listens, and keeps the few facts about this daemon
// that other threads may ask for at any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "app/event_queue.hpp"
#include "io/driver.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"

namespace pw::app {

class Observers final : public io::Telemetry {
 public:
  /// `wake`: the event queue is no longer empty; called on the network thread.
  Observers(observe::Log& log, observe::Metrics& metrics, EventQueue& events, std::function<void()> wake);

  /// Before the driver runs: how drops of the log and of the event queue get into the stream of events.
  void tell_drops_by(std::function<void(event::Event)> tell) { tell_ = std::move(tell); }

  // ---- network thread
  void record(const event::Record& record) override;
  void loop_lag(Duration lag) override { metrics_.loop_lag(lag); }
  void timer_error(Duration late) override { metrics_.timer_error(late); }
  void socket_drops(std::uint64_t total) override { metrics_.socket_drops(total); }
  void tick(Instant now) override;

  // ---- any thread
  /// When the network thread last turned; before it started, the epoch.
  Instant last_turn() const { return Instant{Duration{last_turn_.load(std::memory_order_relaxed)}}; }
  bool reached_anybody() const { return reached_.load(std::memory_order_relaxed); }
  std::size_t connected() const { return connected_.load(std::memory_order_relaxed); }

 private:
  void follow_clock(Instant now);
  observe::Log& log_;
  observe::Metrics& metrics_;
  EventQueue& events_;
  std::function<void()> wake_;
  std::function<void(event::Event)> tell_;
  Duration wall_offset_{};  // wall time − monotonic time, as of the last tick
  Instant log_ticked_{};
  std::uint64_t sequence_ = 0;
  std::uint64_t log_dropped_ = 0;
  std::atomic<std::int64_t> last_turn_ = 0;
  std::atomic<bool> reached_ = false;
  std::atomic<std::size_t> connected_ = 0;
};

}  // namespace pw::app
