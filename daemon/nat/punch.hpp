// Punch: one round of punching between two ends that have a session (over a relay) and made the same plan. It says when
// to send a check where, and which sockets to open; whoever checks paths sends them, and says what was proved.
//
// The ends meet at one time. The initiator's `start` takes half a round trip; it sends its openers when the other, at
// receipt, does the same. An opener is a check whose TTL is too low to reach the other's NAT: it makes a mapping in our
// own before a check of the other can arrive there, which some NATs would take for their own and give our flow another
// port. Each says `ready` once its openers are out, and checks when the other has said so: clocks alone would not do where a
// round trip is shorter than what a busy machine is late by.
// Then checks are paced (Ta, RFC 8445 section 14.2) and repeated (punch_schedule.hpp), while the method goes on in its own
// way (prediction.hpp, birthday.hpp).
//
// Never more than: a token of the node's budget for each packet, kMaxToAddress packets to one address, kMaxPackets in all.
// Ports are guessed only of an address that our own relay or bootstrap has observed.
//
// Order of calls. Initiator: start(now, now + RTT/2). The other: make one when `start` of its round arrives, and hand it
// that message. After these and every handle_*: poll_message, poll_request, poll_transmit and poll_order, repeated until
// none of them gives anything, since what one sends decides what the next may; handle_timeout at poll_timeout. Once
// end() is there, drain poll_message and poll_request a last time: what was opened is closed, but for won(), which
// belongs to the caller from then on.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/rng.hpp"
#include "base/token_bucket.hpp"
#include "base/transmit.hpp"
#include "event/request.hpp"
#include "nat/birthday.hpp"
#include "nat/candidate.hpp"
#include "nat/plan.hpp"
#include "nat/punch_terms.hpp"
#include "wire/stun.hpp"

namespace pw::nat {

struct PunchOptions {
  Duration timeout = 5s;
  Duration search_timeout = 15s;      // of a birthday search: 2048 probes take 10.3 s
  std::uint8_t opener_ttl = 2;        // one router of ours, and dead at the next
  Duration patience = 400ms;          // for which an end waits that has to let the other send first
  unsigned sockets = 256;             // of a birthday search
  unsigned probes = 2048;
  Duration probe_interval = 5ms;      // 200 a second
};

/// What one round is about.
struct PunchTask {
  std::uint32_t round = 0;
  bool initiator = false;
  Plan plan;
  Duration rtt{};                      // of the session
  int step = 0;                        // NatBehaviour::step of our own NAT, of the plan's family
  std::vector<Candidate> theirs;       // CandidateList::all()
  std::vector<IpAddress> observed;     // the peer's, as our own relay or bootstrap saw it
  std::vector<SocketAddress> servers;  // STUN, of the plan's family
};

/// What all rounds of a node share; outlives them.
struct PunchShare {
  TokenBucket& packets;     // of all rounds of the node
  SearchSlot& search;
  std::uint32_t& next_via;  // numbers for further sockets are drawn from it
};

class Punch {
 public:
  static constexpr Duration kPace = 5ms;  // Ta
  static constexpr unsigned kMaxToAddress = 2304;
  static constexpr unsigned kMaxPackets = 2400;

  Punch(PunchTask task, PunchOptions options, PunchShare share, Rng rng);
  ~Punch();
  Punch(const Punch&) = delete;
  Punch& operator=(const Punch&) = delete;

  // ---- commands
  /// The initiator's, once.
  void start(Instant now, Instant start_at);
  void cancel();

  // ---- input
  /// False: of another round, or not what the other end may say now. Nothing is changed then.
  bool handle_message(Instant now, const PunchMessage& message);
  /// False: not a socket of this round.
  bool handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  /// True if it answered a question of this round.
  bool handle_stun(Instant now, const PathAddress& from, const wire::stun::Message& message);
  /// A direct path to the peer was proved, whoever thought of it.
  void handle_proved(Instant now, const PathAddress& path);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<PunchMessage> poll_message();
  std::optional<event::Request> poll_request();
  std::optional<Transmit> poll_transmit(Instant now);
  std::optional<Order> poll_order(Instant now);
  Instant poll_timeout() const;

  // ---- getters
  const std::optional<PunchEnd>& end() const { return end_; }
  /// The further socket that the proved path goes by; none: it goes by Via::own.
  std::optional<Via> won() const { return won_; }
  /// When this end begins, or began, to check; never: not yet.
  Instant checks_at() const { return checks_at_; }
  /// When the other end said that it has proved a path.
  std::optional<Instant> peer_done_at() const { return peer_done_at_; }
  /// Packets that waited for the budget, since the last call.
  unsigned take_held_back() { return std::exchange(held_back_, 0U); }
  bool owns(Via via) const { return sockets_.owns(via); }
  unsigned packets() const { return packets_; }

 private:
  const FamilyPlan& chosen() const { return task_.plan.chosen(); }
  std::optional<SocketAddress> supported_peer() const;
  void begin(Instant now, Instant start_at);
  void add_plain(Instant start_at);
  void begin_checks(Instant at);
  void progress(Instant now);
  void tell(PunchMessage message);
  void fail(PunchFailure failure, std::string_view detail = {});
  void finish(PunchEnd end);
  bool take_token(Instant now);
  bool within_caps(const IpAddress& to);
  void expire();
  Traversal planned() const;
  Traversal method_of(const PathAddress& path) const;

  PunchTask task_;
  PunchOptions options_;
  PunchShare share_;
  Rng rng_;
  SocketPool sockets_;
  CheckSchedule plain_;
  std::unique_ptr<PunchMethod> method_;
  std::deque<PunchMessage> messages_;

  bool begun_ = false;
  bool answered_ = false;            // the other end has said anything in this round
  bool holds_slot_ = false;
  bool method_begun_ = false;
  bool ready_ = false;               // that was told
  Instant checks_at_ = kNever;
  std::optional<Instant> peer_done_at_;
  Instant start_at_ = kNever;
  Instant checks_by_ = kNever;       // whatever the other end says
  Instant deadline_ = kNever;
  Instant next_slot_{};              // of paced orders
  Instant retry_at_{};               // after the budget refused
  bool starved_ = false;             // the budget refused what was due last
  bool capped_ = false;              // a cap of this round refused something
  unsigned packets_ = 0;
  unsigned held_back_ = 0;
  std::map<IpAddress, unsigned> to_address_;  // at most a candidate's each, and servers
  std::optional<PunchEnd> end_;
  std::optional<Via> won_;
};

}  // namespace pw::nat
