// A log line as text, in each of the formats.
#pragma once

#include <string>
#include <string_view>

#include "base/time.hpp"
#include "observe/fields.hpp"
#include "observe/levels.hpp"
#include "observe/log.hpp"

namespace pw::observe {

struct LogLine {
  WallTime at;
  Level level;
  Room room;
  std::string_view message;
  const Fields& fields;
};

/// Of a line, line break included; longer values are cut. PIPE_BUF: a line this short reaches a pipe whole or not at
/// all (pipe(7)).
inline constexpr std::size_t kMaxLine = 4096;

/// One line with its line break. Valid UTF-8 without control characters, whatever the values hold.
std::string format_line(LogFormat format, const LogLine& line);

}  // namespace pw::observe
