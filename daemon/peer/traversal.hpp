// Traversal: how a session that is carried by a relay, or by nothing, comes to a direct path. The ends tell each other their
// candidates in the control stream, at the start and when they change. While no path is direct each attempt is:
//
//   at once       checks of those candidates of the other that need nothing but an answer: addresses of its machine, mapped
//                 ports
//   after grace() if none of them did, the end with the lower PeerId begins a round of punching (nat/punch.hpp), as both
//                 ends have planned it (nat/plan.hpp). Earlier checks of the others could spoil it: some NATs take a
//                 packet that comes before ours has left for their own. At once, where plain punching or prediction is
//                 planned and none of them is likely to answer (nat::likely_open).
//
// and again with back-off; at once when the addresses of either end change, or a direct path is lost. Where the plan is that
// nothing leads through the two NATs, all candidates are checked, for the plan may be wrong, and that is told once.
//
// The other end is authenticated, but its candidates are its word: each is judged (nat::CandidateList) by where this node is
// when it is checked, at most kMaxOfOneAddress ports of one address are taken, and attempts, checks and rounds have budgets,
// of the peer (over all its connections) and of the node, so that no third party that a peer names gets more than a few
// small packets a second.
//
// Where the ports of one end change with each remote, a round predicts them or searches for them, from sockets of its own. The
// one that a proved path goes by is the session's from then on (poll_won); all others are closed with the round.
//
// Order of calls: after the constructor and every handle_* and command call settle() with what the session's paths are;
// then drain poll_won, poll_closed, poll_candidate, poll_packet and poll_message, and rearm at next_timeout. abandon() before
// it is destroyed.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <variant>

#include "base/backoff.hpp"
#include "base/token_bucket.hpp"
#include "nat/punch.hpp"
#include "peer/context.hpp"
#include "wire/control.hpp"

namespace pw::peer {

class Traversal {
 public:
  /// Messages of ours. At the start several at once: addresses are known sooner than what the NATs do.
  static constexpr Duration kTellApart = 1s;
  static constexpr double kTellBurst = 3;
  /// Messages of theirs that are judged; of those that come faster the last one, once it is its turn.
  static constexpr double kHeardPerSecond = 0.5;
  static constexpr double kHeardBurst = 10;
  static constexpr Duration kSettle = 50ms;  // a network that changes does so in several steps
  /// Attempts, whatever gives cause for them.
  static constexpr double kAttemptsPerSecond = 0.1;
  static constexpr double kAttemptsBurst = 5;
  /// Candidates that are checked, each by 7 small packets within 10 s (path::Candidates), then again with back-off: two
  /// whole lists at once.
  static constexpr double kChecksPerSecond = 0.5;
  static constexpr double kChecksBurst = 2 * nat::kMaxCandidates;
  static constexpr unsigned kMaxOfOneAddress = 4;
  static constexpr Duration kChecked = 10s;  // then all that was ordered is given up, or proved
  static constexpr Duration kRetry = 10s;    // full jitter, after that
  static constexpr Duration kRetryMax = 10min;
  /// A check and its answer, which the other end may begin half a round trip later.
  static constexpr Duration grace(Duration rtt) { return rtt + rtt / 2 + 20ms; }
  /// For its turn to search: one search runs on a node at a time.
  static constexpr Duration kSearchTurn = 2s;
  /// Rounds, whoever begins them.
  static constexpr double kRoundsPerSecond = 0.05;
  static constexpr double kRoundsBurst = 3;

  /// What a peer costs at the most, however often its connection is another.
  struct Budget {
    TokenBucket heard{kHeardPerSecond, kHeardBurst};
    TokenBucket attempts{kAttemptsPerSecond, kAttemptsBurst};
    TokenBucket checks{kChecksPerSecond, kChecksBurst};
    TokenBucket rounds{kRoundsPerSecond, kRoundsBurst};
  };

  /// What the session knows of its paths.
  struct Paths {
    std::optional<PathAddress> direct;  // that is alive: the one proved last
    Duration rtt{};                     // of the session
    Instant last_proof{};               // of `direct`
  };

  /// `budget` outlives this.
  Traversal(Context& context, const PeerId& peer, Budget& budget)
      : context_{context}, peer_{peer}, budget_{budget}, rng_{context.rng.split()} {}

  // ---- commands
  /// What peers are told, or what theirs are judged by, is another.
  void whereabouts_changed(Instant now);
  /// This node has moved: what a round has measured, it has measured elsewhere.
  void network_changed(Instant now);
  /// A message could not be sent: what it said is said again later.
  void say_again(Instant now);
  /// The session ends, or goes on over another connection.
  void abandon(Instant now);

  // ---- input
  void handle(Instant now, const wire::Candidates& message);
  void handle(Instant now, const wire::Punch& message);
  /// Of a socket that a round asked for.
  void handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  /// True if it answers a question of a round.
  bool handle_stun(Instant now, const PathAddress& from, const wire::stun::Message& message);
  void settle(Instant now, const Paths& paths);

  // ---- output
  std::optional<wire::ControlMessage> poll_message();
  /// One more address that may be the peer's.
  std::optional<PathAddress> poll_candidate();
  /// One check, or one question to a STUN server, to be sent now and in this order.
  using Packet = std::variant<nat::Order, Transmit>;
  std::optional<Packet> poll_packet(Instant now);
  /// A socket that a proved path goes by: the session's from now on.
  std::optional<Via> poll_won();
  /// Nothing goes or comes by that socket any more.
  std::optional<Via> poll_closed();
  Instant next_timeout() const;

 private:
  // traversal.cpp: what the ends tell each other
  wire::Candidates message() const;
  void tell(Instant now);
  void judge(Instant now, const wire::Candidates& message);
  void select(bool reported);
  void refuse(const SocketAddress& address, nat::Refusal why);
  void report_refused(Instant now);
  void begin_anew(Instant now, event::TraversalTrigger why);

  // traversal_rounds.cpp: what they do
  bool initiator() const { return context_.self < peer_; }
  nat::Side ours() const;
  nat::Side theirs() const;
  nat::Plan plan(std::uint32_t round) const { return nat::plan(ours(), theirs(), round); }
  Instant attempt_at() const;
  void attempt(Instant now);
  bool worth_waiting() const;
  std::optional<event::Budget> against_check(Instant now);
  void check(Instant now, bool open);
  void begin_round(Instant now);
  void make_round(Instant now, std::uint32_t round, const nat::Plan& plan);
  void start(Instant now, const nat::Plan& plan);
  void end(Instant now, const nat::PunchEnd& end, std::optional<Duration> took);
  void take(Instant now, event::Request request);
  void after_round(Instant now);
  void reconsider(Instant now);
  nat::PunchShare share() { return {context_.packets, context_.search, context_.next_via}; }

  Context& context_;
  PeerId peer_;
  Budget& budget_;
  Rng rng_;
  std::optional<wire::Candidates> told_;       // last
  std::optional<std::uint64_t> told_revision_;  // of the whereabouts that it was made of; none: it is to be said again
  TokenBucket telling_{1 / to_seconds(kTellApart), kTellBurst};
  Instant tell_at_{};                          // not sooner
  std::optional<wire::Candidates> heard_message_;  // last
  std::optional<wire::Candidates> waiting_;    // the next, which came too soon
  Instant waits_until_ = kNever;
  std::vector<nat::Candidate> targets_;        // of the one heard, judged
  std::map<SocketAddress, Instant> checked_;   // of them, lately: those checks go on
  std::size_t first_ = 0;                      // of them: the one that the budget did not suffice for
  std::optional<PathAddress> direct_;
  std::optional<PathAddress> stale_;           // direct_ when the round began: the other end has lost that one already
  Duration rtt_{};
  event::TraversalTrigger trigger_ = event::TraversalTrigger::initial;
  Instant next_attempt_ = kNever;
  Instant round_at_ = kNever;
  std::optional<Instant> needed_;           // since when a direct path is, of what no round has begun yet
  std::optional<Instant> gathering_since_;  // the same, of the round
  bool hopeless_ = false;                   // and that was told
  std::uint32_t next_round_ = 0;
  std::unique_ptr<nat::Punch> punch_;
  std::uint32_t round_ = 0;                 // of it
  nat::Method method_{};                    // that it was planned with
  Family family_{};
  event::TraversalStarted started_{};       // of the round
  Instant started_at_{};
  Backoff backoff_{kRetry, kRetryMax};
  std::deque<wire::ControlMessage> messages_;
  std::deque<PathAddress> candidates_;
  std::deque<Via> won_;
  std::deque<Via> closed_;
  struct Refused {
    SocketAddress first;
    unsigned count = 0;
  };
  std::map<nat::Refusal, Refused> refused_;  // not reported yet
};

}  // namespace pw::peer
