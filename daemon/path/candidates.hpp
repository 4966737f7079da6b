// Candidates: addresses that are being checked by ourselves and were never proved: those that the session named (a
// relay's channel, say), and those that authenticated checks of the peer came from (peer-reflexive, RFC 8445
// section 7.3.1.3). What a punching schedule orders check by check is none of these.
//
// Whoever can send us checks of the peer's from elsewhere (the peer itself, or who stole one on its way before it came)
// makes us send to an address of his choice. So all checks that were triggered so share one small budget.
// As long as the peer's checks come, an address is not given up: it may be our own packets that are lost, for now.
#pragma once

#include <optional>
#include <vector>

#include "base/token_bucket.hpp"
#include "path/event.hpp"
#include "path/hearing.hpp"

namespace pw::path {

struct Candidate {
  Named name;
  bool ordered = false;  // by the session; else somebody's check came from there
  unsigned tries = 0;
  unsigned allowed = 0;  // of them, unless it is ordered
  Instant last{};
  Instant asked{};  // when a check of the peer's last came from there
  Instant next{};
  Hearing heard{};  // probes of the peer that came from there, for the path it may become
};

class Candidates {
 public:
  static constexpr std::size_t kMax = 32;  // a peer names up to nat::kMaxCandidates
  /// RFC 8489 section 6.2.1's Rc. Where each way loses 20 %, all are lost by chance with 0.08 %.
  static constexpr unsigned kTries = 7;
  /// For each check of the peer's that came from there. With the answer to it, which is no larger than it was, an
  /// address that proved nothing never gets more than three times what it sent.
  static constexpr unsigned kChecksForOne = 2;
  static constexpr Duration kFirstPace = 200ms;  // doubled each time
  static constexpr Duration kMaxPace = 3200ms;   // and the wait after the last one
  static constexpr Duration kPace = 50ms;        // Ta: not sooner after the one before, though the peer's check came
  static constexpr Duration kSteadyPace = 1s;    // once all tries were in vain, while the peer's checks go on coming
  /// Checks to addresses that never answered and that nobody here named, all together.
  static constexpr double kTriggeredPerSecond = 5;
  static constexpr double kTriggeredBurst = 20;
  /// New addresses among them. Two ends behind NATs with a mapping for each port chase each other: each check comes from an
  /// address that is new again. One that is not checked back ends the chase.
  static constexpr double kNewPerSecond = 1;
  static constexpr double kNewBurst = 10;

  /// The session names it. False: no room.
  bool order(Instant now, const Named& name);
  /// An authenticated check came from there: it is checked back at once. Who was silent for longest makes room, unless the
  /// session named it. Nullptr: too many new ones.
  Candidate* trigger(Instant now, const Named& name);
  Candidate* find(const PathAddress& address);
  void remove(const PathAddress& address);
  void remove(Via via);

  /// The next one whose check is due, counted as sent. Drain it at next_timeout().
  std::optional<Named> poll_due(Instant now);
  /// The next one that is given up. Forgets it.
  std::optional<Named> poll_given_up(Instant now);
  /// This node was late: nobody is given up for that.
  void node_was_late(Instant now);
  Instant next_timeout() const;
  std::size_t size() const { return candidates_.size(); }

 private:
  bool make_room();

  std::vector<Candidate> candidates_;
  TokenBucket triggered_{kTriggeredPerSecond, kTriggeredBurst};
  TokenBucket new_{kNewPerSecond, kNewBurst};
};

/// Whether two addresses are the same way: a local address of `any` is whichever the kernel takes.
bool same_way(const PathAddress& a, const PathAddress& b);

/// Nothing may make this node send checks to loopback, multicast and what else is nobody's candidate (nat::refusal_of).
/// Through a relay there is no address to judge.
bool may_check(const PathAddress& address, event::PathKind kind);

inline bool relayed(event::PathKind kind) {
  return kind == event::PathKind::relay_quic || kind == event::PathKind::relay_websocket;
}

}  // namespace pw::path
