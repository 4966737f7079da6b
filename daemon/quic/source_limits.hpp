// How many new connections one source may ask for: a token bucket per IPv4 address, IPv6 /64 or channel through a relay,
// asked before any cryptography. The table is bounded: a bucket that is full again says nothing and is forgotten; sources beyond the
// bound share one bucket.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <unordered_map>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/token_bucket.hpp"
#include "quic/connection_id.hpp"

namespace pw::quic {

class SourceLimits {
 public:
  /// Saves up two seconds' worth: a peer that restarts may dial over several paths and repeat its Initials.
  SourceLimits(double per_second, std::size_t max_sources, KeyedHash hash)
      : per_second_{per_second}, max_sources_{max_sources}, others_{fresh()}, buckets_{0, hash} {}

  bool take(Instant now, const PathAddress& from) {
    const Source key = source_of(from);
    if (const auto found = buckets_.find(key); found != buckets_.end()) return found->second.take(now);
    if (buckets_.size() >= max_sources_) forget_full(now);
    if (buckets_.size() >= max_sources_) return others_.take(now);
    return buckets_.emplace(key, fresh()).first->second.take(now);
  }
  std::size_t sources() const { return buckets_.size(); }

 private:
  /// A sweep looks at every source, so a flood of new ones may not cause one each.
  static constexpr Duration kSweepInterval = 100ms;

  TokenBucket fresh() const { return TokenBucket{per_second_, 2 * per_second_}; }

  /// Further sockets of ours hear the same addresses as the first; only a channel has none.
  static Source source_of(const PathAddress& from) {
    if (from.remote.ip.is_unspecified()) return {{}, from.via};
    return {prefix_of(from.remote.ip), Via::own};
  }

  static IpAddress prefix_of(const IpAddress& source) {
    if (source.family() == Family::v4) return source;
    std::array<std::uint8_t, 16> bytes{};
    std::copy_n(source.bytes().begin(), 8, bytes.begin());
    return IpAddress::v6(bytes);
  }

  void forget_full(Instant now) {
    if (swept_ != kNever && now - swept_ < kSweepInterval) return;
    swept_ = now;
    std::erase_if(buckets_, [now](const auto& b) { return b.second.full_at(now); });
  }

  double per_second_;
  std::size_t max_sources_;
  TokenBucket others_;
  Instant swept_ = kNever;
  std::unordered_map<Source, TokenBucket, KeyedHash> buckets_;
};

}  // namespace pw::quic
