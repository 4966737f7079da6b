// Log: lines for people and for log collectors, folded from events and from the daemon's own words.
//
// Lines go to a bounded queue that one thread of its own writes to stderr; when it is full the oldest lines leave and
// are counted. A stderr that fails (full disk, closed pipe) loses lines, counted too, and stops nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "event/event.hpp"
#include "observe/fields.hpp"
#include "observe/levels.hpp"
#include "observe/monitor.hpp"

namespace pw::observe {

enum class LogFormat : std::uint8_t {
  logfmt,  // time=… level=… room=… msg="…" key=value …
  json,    // one object a line
  journal  // logfmt without time, after the priority prefix of sd-daemon(3), e.g. <6>
};

struct LogOptions {
  LogFormat format = LogFormat::logfmt;
  Levels levels = all_at(Level::info);
  /// Wall-clock time of a line; empty: the system's.
  std::function<WallTime()> clock;
  /// Where lines go, with their newline; empty: stderr, through the queue. A test's own sink is called on the caller's
  /// thread.
  std::function<void(std::string_view)> sink;
};

class Log : public Monitor {
 public:
  explicit Log(LogOptions options);
  ~Log() override;  // writes what is queued, waiting at most 2 s

  /// Network thread. Equal events (type, peer and reason) within 10 s become one line, written at the first, and a
  /// second, when the 10 s are over, that says how often it was repeated. Rejected packets are only ever summed up.
  void handle(const event::Record& record) override;
  /// Network thread: writes the sums whose 10 s are over. Call about once a second, and before the end with kNever.
  void tick(Instant now);

  /// Any thread. The daemon's own lines.
  void line(Level level, Room room, std::string_view message, const Fields& fields = {});
  /// Any thread. At reload.
  void set_levels(const Levels& levels);
  bool enabled(Level level, Room room) const;

  /// Any thread. Lines lost so far: pushed out of the full queue, or refused by stderr.
  std::uint64_t dropped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pw::observe
