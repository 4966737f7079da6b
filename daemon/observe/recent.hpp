// RecentEvents: the last events worth keeping, for /api/v1/events and for a live stream that resumes. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "base/peer_id.hpp"
#include "observe/entry.hpp"

namespace pw::observe {

class RecentEvents {
 public:
  /// About 300 B each: 1.2 MB, hours of a quiet mesh.
  static constexpr std::size_t kCapacity = 4096;

  explicit RecentEvents(std::size_t capacity = kCapacity) : capacity_{capacity} {}

  /// Sequence numbers must rise; gaps are fine. The oldest entry leaves when the ring is full.
  void add(Entry entry);

  /// Up to `limit` entries with seq > since_seq, oldest first; linear in what is kept. A type that does not exist
  /// matches nothing.
  std::vector<Entry> query(std::uint64_t since_seq, const std::optional<PeerId>& peer,
                           const std::optional<std::string_view>& type, std::size_t limit) const;

  /// 0 while empty. A reader whose seq is below oldest() - 1 has missed some.
  std::uint64_t oldest() const { return ring_.empty() ? 0 : ring_.front().seq; }
  std::uint64_t newest() const { return ring_.empty() ? 0 : ring_.back().seq; }
  std::size_t size() const { return ring_.size(); }

 private:
  std::size_t capacity_;
  std::deque<Entry> ring_;
};

}  // namespace pw::observe
