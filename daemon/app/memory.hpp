// Gives memory that was freed back to the kernel. A thousand handshakes need twice the memory of a thousand sessions,
// and the allocator keeps what they leave behind unless it is asked.
#pragma once

#include <cstddef>

#include "base/time.hpp"

namespace pw::app {

class MemoryTrim {
 public:
  /// Less than this is not worth the walk over all free chunks, during which other threads' allocations wait.
  static constexpr std::size_t kWorthwhile = 4 << 20;

  /// Looking costs a walk as well: the allocator counts what is free.
  static constexpr Duration kInterval = 5s;

  /// To be called now and then, from a thread that is in no hurry. Trims when much more lies free than after the last
  /// trim, and about as much as one interval ago: while it changes, somebody is about to use it.
  void tick(Instant now);

 private:
  Instant next_{};
  std::size_t after_last_ = 0;
  std::size_t seen_ = 0;
};

}  // namespace pw::app
