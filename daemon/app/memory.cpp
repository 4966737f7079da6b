#include "app/memory.hpp"

#include <malloc.h>

namespace pw::app {

void MemoryTrim::tick(Instant now) {
  if (now < next_) return;
  next_ = now + kInterval;
  const std::size_t free_bytes = mallinfo2().fordblks;
  const bool settled = free_bytes <= seen_ + seen_ / 8 && seen_ <= free_bytes + free_bytes / 8;
  seen_ = free_bytes;
  if (!settled || free_bytes < after_last_ + kWorthwhile) return;
  malloc_trim(0);
  after_last_ = mallinfo2().fordblks;
}

}  // namespace pw::app
