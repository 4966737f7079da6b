// StunResponder: tells strangers from where they are seen (Binding of RFC 8489), and helps them to find out what their NATs
// do (RFC 5780). Without sockets: whoever owns them hands requests in and sends the answers.
//
// Nobody who asks is authenticated, and a source may be forged, so that an answer reaches somebody who never asked:
// - An answer has at most kMaxAmplification times the bytes of its question, the factor of QUIC (RFC 9000 section 8.1).
//   No answer can be as small as the smallest question: 20 bytes, while a header with an address has 32 or 44.
//   OTHER-ADDRESS is left out where it would not fit. RESPONSE-ORIGIN goes with CHANGE-REQUEST, where it fits;
//   otherwise only where the answer stays no larger than its question. FINGERPRINT answers a FINGERPRINT. SOFTWARE,
//   MAPPED-ADDRESS and reason phrases are never sent.
// - So many answers a second to one network (IPv4 /24, IPv6 /48), and so many to all.
// - No answer goes to another port than the question's (RESPONSE-PORT), none is fragmented (PADDING): 420.
// - Only requests are answered, so that two responders never talk to one another.
// docs/rfc-deviations.md has what it comes to.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/token_bucket.hpp"
#include "event/service.hpp"
#include "wire/stun.hpp"

namespace pw::service {

using StunResult = event::StunResult;

struct StunResponderOptions {
  /// For RFC 5780: two addresses of one family, bound at both ports, as strangers see them (not translated). Addresses and
  /// ports differ. Requests to any other address or port of ours are answered without behaviour discovery.
  struct Corners {
    SocketAddress primary;
    SocketAddress alternate;
  };
  std::vector<Corners> behaviour_discovery;  // at most one a family
  /// Answers a second, and how many at once. A discovery asks some 10 times, and many homes may share a carrier's /24.
  double per_network = 20;
  double per_network_burst = 100;
  /// As the answers are at most 100 bytes: 100 kB/s, whatever is asked.
  double total = 1000;
  double total_burst = 1000;
};

class StunResponder {
 public:
  static constexpr std::size_t kMaxAmplification = 3;
  /// Networks share 4096 buckets (128 KiB) by hash: nothing grows, and nobody's bucket is forgotten under a flood. Whoever
  /// could aim at somebody's bucket could as well forge his address.
  static constexpr std::size_t kBuckets = 4096;

  struct Answer {
    SocketAddress from;  // ours: as it was asked, or as CHANGE-REQUEST wants it
    SocketAddress to;
    Buffer bytes;
  };
  struct Outcome {
    StunResult result = StunResult::ignored;
    std::optional<Answer> answer;  // with success and unsupported only
  };

  explicit StunResponder(StunResponderOptions options);

  /// `from.local`, `local_port`: where the datagram came to.
  Outcome answer(Instant now, const PathAddress& from, std::uint16_t local_port, ByteView datagram);
  /// The same for a datagram of `size` bytes that was decoded already.
  Outcome answer(Instant now, const PathAddress& from, std::uint16_t local_port, const wire::stun::Decoded& request,
                 std::size_t size);

 private:
  /// The corner with neither this address nor this port (RFC 5780 section 6.1: Ca and Cp), if `asked` is one.
  std::optional<SocketAddress> opposite_of(const SocketAddress& asked) const;
  bool may_answer(Instant now, const IpAddress& source);

  StunResponderOptions options_;
  TokenBucket total_;
  std::vector<TokenBucket> networks_;
};

}  // namespace pw::service
