// Answers that need no connection: Version Negotiation, Retry, stateless reset, refusals (RFC 9000 sections 6.1, 8.1.2,
// 10.3, 5.2.2). Each is smaller than what it answers, so that nobody is flooded through us; all but Retry, which the
// limits per source already bound, share one budget.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <optional>

#include "base/token_bucket.hpp"
#include "quic/shared.hpp"

namespace pw::quic {

class Stateless {
 public:
  explicit Stateless(Shared& shared)
      : shared_{shared},
        token_key_{hmac_sha256(shared.options.static_secret, as_bytes("peerwatch retry token"))},
        budget_{kAnswersPerSecond, kAnswersPerSecond} {}

  void version_negotiation(Instant now, const PathAddress& from, const ngtcp2_version_cid& asked);
  /// RFC 9000 section 10.3: always shorter than what it answers and at least 21 bytes; none if that is impossible. What may
  /// be a reset itself is answered by the shortest one, so two endpoints that know nothing of each other fall silent at
  /// once.
  void reset(Instant now, const PathAddress& from, const ConnectionId& unknown, std::size_t size);
  void retry(Instant now, const PathAddress& from, const ngtcp2_pkt_hd& initial);
  /// CONNECTION_CLOSE in an Initial.
  void refuse(Instant now, const PathAddress& from, const ngtcp2_pkt_hd& initial, std::uint64_t error);

  enum class Token { none, valid, invalid };
  /// What an Initial's token says. `first_id`: the ID that the client used before our Retry.
  Token check(Instant now, const PathAddress& from, const ngtcp2_pkt_hd& initial,
              std::optional<ConnectionId>& first_id);

 private:
  /// After our restart every peer of a large mesh has to hear a reset within seconds; each costs about 3 µs.
  static constexpr double kAnswersPerSecond = 500;
  /// A client repeats its Initial at once; the rest is for a slow path.
  static constexpr Duration kTokenLifetime = 10s;

  void send(const PathAddress& to, ngtcp2_ssize size);

  Shared& shared_;
  Digest token_key_;
  TokenBucket budget_;
};

}  // namespace pw::quic
