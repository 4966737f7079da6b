// Requests a second and client, in a bounded table. A client is an IPv4 address or an IPv6 /64, which is what one
// customer usually holds.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "base/address.hpp"
#include "base/token_bucket.hpp"

namespace pw::http {

/// The key of a client in every table here.
IpAddress client_prefix(const IpAddress& address);

class RateLimit {
 public:
  static constexpr std::size_t kMaxClients = 4096;  // 0.3 MiB; beyond it newcomers share one bucket
  /// `rate` requests a second; two seconds' worth, at least kMinBurst, may come at once.
  static constexpr double kMinBurst = 10;
  explicit RateLimit(double rate);

  bool take(const IpAddress& client, Instant now);
  std::size_t clients() const { return buckets_.size(); }

 private:
  TokenBucket fresh() const;
  void forget_idle(Instant now);
  double rate_;
  std::unordered_map<IpAddress, TokenBucket> buckets_;
  TokenBucket shared_;
  Instant next_sweep_{};
};

}  // namespace pw::http
