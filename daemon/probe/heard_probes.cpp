#include "probe/heard_probes.hpp"

#include <utility>

namespace pw::probe {

bool HeardProbes::knows(std::uint32_t sequence) const {
  const std::int32_t behind = wire::distance(sequence, highest_);
  if (!any_ || behind < 0) return false;
  return behind >= kWindow || (window_ >> behind & 1) != 0;
}

void HeardProbes::add(const HeardProbes& elsewhere) {
  if (!elsewhere.any_) return;
  HeardProbes later = elsewhere;
  HeardProbes earlier = *this;
  if (any_ && wire::distance(highest_, elsewhere.highest_) <= 0) std::swap(later, earlier);
  *this = later;
  // Numbers half of all apart have no order.
  const std::int32_t behind = wire::distance(earlier.highest_, later.highest_);
  if (earlier.any_ && behind >= 0 && behind < kWindow) window_ |= earlier.window_ << behind;
}

std::optional<wire::ReceiptFrame> HeardProbes::receipt(Instant now, Instant received_at, const wire::ProbeFrame& probe) {
  if (knows(probe.sequence)) return std::nullopt;
  const std::int32_t behind = wire::distance(probe.sequence, highest_);
  if (any_ && behind > 0) {
    window_ |= 1ULL << behind;  // less than kWindow, or it would be too old to tell
  } else {
    window_ = any_ && -kWindow < behind ? window_ << -behind | 1 : 1;
    highest_ = probe.sequence;
    jitter_.add(received_at, probe.sent_us);  // compares neighbours in order: a late one is left out
  }
  any_ = true;
  return wire::ReceiptFrame{probe.sequence, highest_, window_, wire::to_microseconds(now - received_at)};
}

}  // namespace pw::probe
