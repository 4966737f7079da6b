#include "sim/net/stream_receiver.hpp"

#include <algorithm>

namespace pw::net {

bool StreamReceiver::accept(std::uint64_t seq, ByteView bytes) {
  if (seq < next_) {
    const auto known = std::min<std::uint64_t>(next_ - seq, bytes.size());
    bytes = bytes.subspan(static_cast<std::size_t>(known));
    seq += known;
  }
  const std::uint64_t limit = next_ + window();
  if (seq >= limit) return false;
  bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), limit - seq)));
  store(seq, bytes);

  const std::size_t before = ready_.size();
  while (!parts_.empty() && parts_.begin()->first == next_) {
    const Buffer& part = parts_.begin()->second;
    ready_.insert(ready_.end(), part.begin(), part.end());
    next_ += part.size();
    parts_.erase(parts_.begin());
  }
  return ready_.size() > before;
}

/// The pieces of it that are not there yet.
void StreamReceiver::store(std::uint64_t seq, ByteView bytes) {
  while (!bytes.empty()) {
    const auto after = parts_.upper_bound(seq);
    if (after != parts_.begin()) {
      const auto& [start, part] = *std::prev(after);
      if (start + part.size() > seq) {
        const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(start + part.size() - seq, bytes.size()));
        seq += known;
        bytes = bytes.subspan(known);
        continue;
      }
    }
    const auto gap = after == parts_.end() ? bytes.size()
                                           : static_cast<std::size_t>(std::min<std::uint64_t>(after->first - seq, bytes.size()));
    parts_.emplace(seq, Buffer(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(gap)));
    seq += gap;
    bytes = bytes.subspan(gap);
  }
}

Buffer StreamReceiver::read(std::size_t most) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(most, ready_.size()));
  Buffer out(ready_.begin(), ready_.begin() + n);
  ready_.erase(ready_.begin(), ready_.begin() + n);
  return out;
}

std::size_t StreamReceiver::waiting() const {
  std::size_t n = 0;
  for (const auto& [start, part] : parts_) n += part.size();
  return n;
}

}  // namespace pw::net
