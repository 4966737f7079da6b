// Traversal: how a session that is carried by a relay, or by nothing, comes to a direct path. The ends tell each other their
// candidates in the control stream, at the start and when they change, and check the other's while no path is direct: at
// once, and again with back-off.
//
// The other end is authenticated, but its candidates are its word: each is judged (nat::CandidateList), at most
// kMaxOfOneAddress ports of one address are taken, and checks of a session spend from one budget, so that no third party
// that a peer names gets more than a few small packets a second.
//
// Order of calls: after the constructor and every handle_* and command call settle() with what the session's paths are;
// then drain poll_message and poll_candidate, and rearm at next_timeout.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "base/backoff.hpp"
#include "base/token_bucket.hpp"
#include "peer/context.hpp"
#include "wire/control.hpp"

namespace pw::peer {

class Traversal {
 public:
  static constexpr Duration kTellApart = 1s;  // messages of ours, at least
  /// Messages of theirs; those beyond are not looked at.
  static constexpr double kHeardPerSecond = 0.5;
  static constexpr double kHeardBurst = 10;
  /// Candidates that are checked, each by 7 small packets within 10 s (path::Candidates), then again with back-off: two
  /// whole lists at once.
  static constexpr double kChecksPerSecond = 0.5;
  static constexpr double kChecksBurst = 2 * nat::kMaxCandidates;
  static constexpr unsigned kMaxOfOneAddress = 4;
  static constexpr Duration kChecked = 10s;  // then all that was ordered is given up, or proved
  static constexpr Duration kRetry = 10s;    // full jitter, after that
  static constexpr Duration kRetryMax = 10min;

  Traversal(Context& context, const PeerId& peer) : context_{context}, peer_{peer} {}

  // ---- commands
  /// What peers are told is another, or nothing any more.
  void whereabouts_changed(Instant now);
  /// A message could not be sent: it is said again later.
  void say_again(Instant now);

  // ---- input
  void handle(Instant now, const wire::Candidates& message);
  /// `direct`: packets go out on a direct path.
  void settle(Instant now, bool direct);

  // ---- output
  std::optional<wire::ControlMessage> poll_message();
  /// One more address that may be the peer's.
  std::optional<PathAddress> poll_candidate();
  Instant next_timeout() const;

 private:
  void tell(Instant now);
  void judge(Instant now, const wire::Candidates& message);
  void attempt(Instant now);
  void refuse(const SocketAddress& address, nat::Refusal why);
  void report_refused(Instant now);

  Context& context_;
  PeerId peer_;
  std::optional<wire::Candidates> told_;  // last
  Instant tell_at_{};                     // not sooner
  std::optional<nat::Side> theirs_;       // unjudged
  std::vector<nat::Candidate> targets_;   // judged
  bool direct_ = false;
  Instant next_attempt_ = kNever;
  Backoff backoff_{kRetry, kRetryMax};
  TokenBucket heard_{kHeardPerSecond, kHeardBurst};
  TokenBucket checks_{kChecksPerSecond, kChecksBurst};
  std::deque<wire::ControlMessage> messages_;
  std::deque<PathAddress> candidates_;
  struct Refused {
    SocketAddress first;
    unsigned count = 0;
  };
  std::map<nat::Refusal, Refused> refused_;  // not reported yet
};

}  // namespace pw::peer
