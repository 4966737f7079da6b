#include "observe/log.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>

#include "observe/line_queue.hpp"
#include "observe/log_format.hpp"
#include "observe/log_table.hpp"
#include "observe/repeats.hpp"

namespace pw::observe {
namespace {

WallTime system_time() {
  return WallTime{std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
}

/// Measurements differ each time and are asked for one by one (level debug): folding them would hide what was asked
/// for.
bool may_fold(const event::Event& e) {
  using namespace event;
  return !(std::holds_alternative<EchoMeasured>(e) || std::holds_alternative<ProbeMeasured>(e) ||
           std::holds_alternative<ProbesAccounted>(e) || std::holds_alternative<PathLatency>(e));
}

}  // namespace

struct Log::Impl {
  explicit Impl(LogOptions o) : options{std::move(o)} {
    if (!options.clock) options.clock = system_time;
    if (!options.sink) queue = std::make_unique<LineQueue>(STDERR_FILENO);
    set_levels(options.levels);
  }

  void set_levels(const Levels& wanted) {
    for (std::size_t i = 0; i < wanted.size(); ++i) levels[i].store(wanted[i], std::memory_order_relaxed);
  }

  bool enabled(Level level, Room room) const {
    return level != Level::off && level >= levels[static_cast<std::size_t>(room)].load(std::memory_order_relaxed);
  }

  void write(Level level, Room room, std::string_view message, const Fields& fields) {
    const std::string line = format_line(options.format, {options.clock(), level, room, message, fields});
    if (queue)
      queue->push(line);
    else
      options.sink(line);
  }

  void write(const Repeats::Line& line) {
    const Importance importance = importance_of(line.event);
    Fields fields = fields_of(line.event);
    if (line.repeated != 0) fields.push_back({"repeated", line.repeated});
    write(importance.level, importance.room, message_of(line.event), fields);
  }

  LogOptions options;
  std::array<std::atomic<Level>, std::tuple_size_v<Levels>> levels{};
  Repeats repeats;  // network thread
  std::unique_ptr<LineQueue> queue;
};

Log::Log(LogOptions options) : impl_{std::make_unique<Impl>(std::move(options))} {}
Log::~Log() = default;

void Log::handle(const event::Record& record) {
  const Importance importance = importance_of(record.event);
  if (!impl_->enabled(importance.level, importance.room)) return;
  if (!may_fold(record.event)) {
    impl_->write({record.event, 0});
    return;
  }
  const bool summed = std::holds_alternative<event::PacketRejected>(record.event) ||
                      std::holds_alternative<event::PipeRefused>(record.event) ||
                      std::holds_alternative<event::CheckRefused>(record.event);
  for (const Repeats::Line& line : impl_->repeats.add(record, summed)) impl_->write(line);
}

void Log::tick(Instant now) {
  for (const Repeats::Line& line : impl_->repeats.close(now)) impl_->write(line);
}

void Log::line(Level level, Room room, std::string_view message, const Fields& fields) {
  if (enabled(level, room)) impl_->write(level, room, message, fields);
}

void Log::set_levels(const Levels& levels) { impl_->set_levels(levels); }
bool Log::enabled(Level level, Room room) const { return impl_->enabled(level, room); }
std::uint64_t Log::dropped() const { return impl_->queue ? impl_->queue->dropped() : 0; }

}  // namespace pw::observe
