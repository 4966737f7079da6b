#include "http/rate_limit.hpp"

#include <algorithm>
#include <array>

namespace pw::http {

IpAddress client_prefix(const IpAddress& address) {
  if (address.family() == Family::v4) return address;
  std::array<std::uint8_t, 16> prefix{};
  std::copy_n(address.bytes().begin(), 8, prefix.begin());
  return IpAddress::v6(prefix);
}

RateLimit::RateLimit(double rate) : rate_{rate}, shared_{fresh()} {}

TokenBucket RateLimit::fresh() const { return TokenBucket{rate_, std::max(kMinBurst, 2 * rate_)}; }

bool RateLimit::take(const IpAddress& client, Instant now) {
  const IpAddress key = client_prefix(client);
  if (const auto found = buckets_.find(key); found != buckets_.end()) return found->second.take(now);
  if (buckets_.size() >= kMaxClients) forget_idle(now);
  if (buckets_.size() >= kMaxClients) return shared_.take(now);
  return buckets_.emplace(key, fresh()).first->second.take(now);
}

void RateLimit::forget_idle(Instant now) {
  // Once a second, so that a flood of addresses can't buy a sweep with each request.
  if (now < next_sweep_) return;
  next_sweep_ = saturating_add(now, 1s);
  std::erase_if(buckets_, [&](const auto& entry) { return entry.second.full_at(now); });
}

}  // namespace pw::http
