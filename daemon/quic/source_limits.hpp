// How many new connections one source may ask for: a token bucket per IPv4 address, IPv6 /64 or, through a relay, per
// peer at a channel's other end and relay; asked before any cryptography. Whoever the relay names costs it nothing to make
// up, and opening another channel costs the peer nothing: so all that comes through one relay has a bucket too. The tables are
// bounded: a bucket that is full again says nothing and is forgotten; sources beyond the bound share one bucket.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <unordered_map>

#include "base/address.hpp"
#include "base/peer_id.hpp"
#include "base/time.hpp"
#include "base/token_bucket.hpp"
#include "quic/connection_id.hpp"

namespace pw::quic {

class SourceLimits {
 public:
  /// Saves up two seconds' worth: a peer that restarts may dial over several paths and repeat its Initials.
  SourceLimits(double per_second, std::size_t max_sources, KeyedHash hash)
      : per_second_{per_second}, max_sources_{max_sources}, others_{fresh()}, buckets_{0, hash} {}

  /// Through a channel that was not named all share one bucket.
  bool take(Instant now, const PathAddress& from) {
    // Further sockets of ours hear the same addresses as the first; only a channel has none.
    if (!from.remote.ip.is_unspecified()) return take(now, Source{prefix_of(from.remote.ip)});
    const auto channel = channels_.find(from.via);
    if (channel == channels_.end()) return others_.take(now);
    return take(now, Source{channel->second}) && relays_.at(channel->second.relay).take(now);
  }
  /// Who is at the other end of a channel, as its relay says.
  void name(Instant now, Via via, const PeerId& relay, const PeerId& peer) {
    if (relays_.size() >= kMaxRelays) forget_relays(now);
    relays_.try_emplace(relay, kRelayShare * per_second_, 2 * kRelayShare * per_second_);
    channels_.insert_or_assign(via, RelayedPeer{relay, peer});
  }
  void forget(Via via) { channels_.erase(via); }
  std::size_t sources() const { return buckets_.size(); }

 private:
  /// A sweep looks at every source, so a flood of new ones may not cause one each.
  static constexpr Duration kSweepInterval = 100ms;
  /// What one relay brings, in shares of one source: whoever uses up his own leaves as much to the others there. During
  /// a handshake's time-out it does not fill the table of half-open connections (each costs two where tokens are asked).
  static constexpr double kRelayShare = 2;
  /// Twice as many as a node has: those of before a reload are forgotten once their buckets are full.
  static constexpr std::size_t kMaxRelays = 64;

  bool take(Instant now, const Source& key) {
    if (const auto found = buckets_.find(key); found != buckets_.end()) return found->second.take(now);
    if (buckets_.size() >= max_sources_) forget_full(now);
    if (buckets_.size() >= max_sources_) return others_.take(now);
    return buckets_.emplace(key, fresh()).first->second.take(now);
  }
  TokenBucket fresh() const { return TokenBucket{per_second_, 2 * per_second_}; }

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

  void forget_relays(Instant now) {
    std::erase_if(relays_, [&](const auto& r) {
      return r.second.full_at(now) &&
             std::ranges::none_of(channels_, [&](const auto& c) { return c.second.relay == r.first; });
    });
  }

  double per_second_;
  std::size_t max_sources_;
  TokenBucket others_;
  Instant swept_ = kNever;
  std::unordered_map<Source, TokenBucket, KeyedHash> buckets_;
  std::unordered_map<Via, RelayedPeer> channels_;
  std::unordered_map<PeerId, TokenBucket> relays_;
};

}  // namespace pw::quic
