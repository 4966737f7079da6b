// The commands: each asks the daemon and shows the answer. Returns the exit code.
#pragma once

#include <functional>
#include <iosfwd>

#include "cli/arguments.hpp"
#include "cli/daemon_client.hpp"

namespace pw::cli {

struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool colours = false;
  bool interactive = false;             // out is a terminal: --watch may redraw
  std::function<bool(Duration)> sleep;  // false: interrupted
};

int run(const Arguments& arguments, Daemon& daemon, const Terminal& terminal);

}  // namespace pw::cli
