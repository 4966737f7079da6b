// LineQueue: a bounded queue of lines, and the thread that writes them to stderr. The only user of spdlog.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/time.hpp"

namespace pw::observe {

class LineQueue {
 public:
  /// Some seconds of a busy daemon at level debug; 2 MB when full.
  static constexpr std::size_t kLines = 4096;
  /// How long a write to a pipe that nobody reads may hold the thread before the line is given up.
  static constexpr Duration kPatience = 200ms;
  /// How long the destructor waits for what is queued.
  static constexpr Duration kGoodbye = 2s;

  explicit LineQueue(int fd, std::size_t lines = kLines);
  ~LineQueue();

  /// Any thread; never waits for the descriptor. A full queue loses its oldest line.
  void push(std::string_view line);
  /// Pushed out of the queue, or not taken by the descriptor.
  std::uint64_t dropped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pw::observe
