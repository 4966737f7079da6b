// Signals as values. They are blocked in the thread that makes this, and in every thread that it starts afterwards.
#pragma once

#include <csignal>
#include <optional>

#include "io/fd.hpp"

namespace pw::app {

class Signals {
 public:
  /// Takes SIGTERM, SIGINT and SIGHUP; SIGPIPE is ignored, since a closed pipe is an error of a write like any other.
  /// Make it before any thread.
  Signals();

  /// Readable when a signal waits.
  int fd() const { return fd_.get(); }
  std::optional<int> next();

 private:
  io::Fd fd_;
};

}  // namespace pw::app
