// CheckSchedule: which of a round's targets is due for a check. Each is checked again after the retransmission time-out,
// which doubles (RFC 8489 section 6.2.1), until it had its share.
#pragma once

#include <optional>
#include <vector>

#include "nat/punch_terms.hpp"

namespace pw::nat {

class CheckSchedule {
 public:
  static constexpr unsigned kChecks = 7;  // a target: Rc of RFC 8489; at 5 % loss each way all are lost once in 10⁷
  static constexpr std::size_t kMaxTargets = 96;
  static constexpr Duration kLeastTimeout = 50ms;
  static constexpr Duration kMostTimeout = 1s;

  /// The RTT is known, so the time-out need not be the 500 ms of RFC 8445 section 14.3.
  explicit CheckSchedule(Duration rtt);

  /// From `from` on, in the order of addition. Beyond kMaxTargets nothing is taken.
  void add(const PathAddress& path, Instant from);
  /// First an opener with that TTL at `from`; checks from begin_checks on.
  void add_opened(const PathAddress& path, Instant from, std::uint8_t ttl);
  void begin_checks(Instant at);
  /// No opener is still to be sent.
  bool opened() const;
  void clear() { targets_.clear(); }

  /// The one that is due longest.
  std::optional<Order> poll(Instant now);
  Instant poll_timeout() const;
  bool contains(const PathAddress& path) const;

 private:
  struct Target {
    PathAddress path;
    std::uint8_t opener_ttl = 0;  // 0: no opener, or it is out
    Instant next{};
    Duration wait{};
    unsigned sent = 0;
  };
  const Target* earliest() const;

  Duration timeout_;
  Instant checks_at_ = kNever;
  std::vector<Target> targets_;
};

}  // namespace pw::nat
