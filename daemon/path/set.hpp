// Set: the real paths below one QUIC connection: which are proved, what each is worth, and which this end sends on.
//
// A path is one way to the peer: what carries it, local and remote address. Checks are STUN Binding requests (RFC 8489)
// with USERNAME and MESSAGE-INTEGRITY-SHA256 keyed from the connection (path/keys.hpp), in the manner of RFC 8445 but
// without roles and nomination: each end chooses its own sending path among those that it proved. A check over a proved
// path is a probe as well: it measures RTT and loss per direction, asks for consent (RFC 7675), and its silence is what
// makes a path suspect and dead (probe::Liveness). Only an answer to a check of our own proves a path, or keeps it
// proved; whatever else arrives proves nothing.
//
// Order of calls: one Set from Established on. First add() the handshake's path as proved, and every relay's channel
// when there is one. The node keeps a table from keys().own_tag to its connections: a STUN request goes to
// handle_request of the one that its USERNAME names, a response to handle_response of the one that tag_of its
// transaction ID names. After every handle_* and command drain poll_transmit and poll_event, hand sending() to QUIC
// when SendingChanged was among the events, and rearm at poll_timeout. Nothing here re-enters. `now` never runs
// backwards.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/rng.hpp"
#include "base/token_bucket.hpp"
#include "base/transmit.hpp"
#include "path/candidates.hpp"
#include "path/checks.hpp"
#include "path/event.hpp"
#include "path/keys.hpp"
#include "path/options.hpp"
#include "path/path.hpp"
#include "path/refusal.hpp"
#include "path/replay_window.hpp"
#include "path/selector.hpp"
#include "probe/starvation.hpp"
#include "wire/stun.hpp"

namespace pw::path {

class Set {
 public:
  /// Proved ones. Direct by IPv4 and IPv6 from two uplinks, and two relays, with as many again while addresses change.
  static constexpr std::size_t kMaxPaths = 8;
  /// A dead path is probed for so long: whoever pulled a cable may plug it in again. The last path is never forgotten.
  static constexpr Duration kForgetDead = 60s;
  /// Answers to addresses that were never proved: a punching peer reaches us from a few.
  static constexpr double kStrangersPerSecond = 10;
  static constexpr double kStrangersBurst = 20;
  /// And over proved paths: probes, at time-out pace on each while in doubt, and checks at full size.
  static constexpr double kAnswersPerSecond = 100;
  static constexpr double kAnswersBurst = 200;
  /// Of them, answers to what was seen before.
  static constexpr double kCopiesPerSecond = 10;
  static constexpr double kCopiesBurst = 20;

  /// A message as it came. `bytes` is what `decoded` was made from; `kind`: of a path by which it came.
  struct Arrived {
    Instant at{};  // when the kernel had it; not after `now`
    PathAddress from;
    event::PathKind kind = event::PathKind::none;
    ByteView bytes;
    const wire::stun::Decoded& decoded;
  };

  /// `starvation`: of this node; outlives the set.
  Set(Keys keys, const Options& options, const probe::Starvation& starvation, Rng rng);
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;

  // ---- commands
  /// `proved`: the handshake has just gone over it, at full size. Otherwise it is checked until it is proved or given
  /// up.
  Verdict add(Instant now, const PathAddress& address, event::PathKind kind, bool proved);
  /// One check, as a punching schedule orders it; nothing is remembered of the address unless it answers. A path that
  /// is known is probed, if it is not proved. `ttl`: a check that is only to open the way, and need not arrive.
  Verdict check(Instant now, const PathAddress& address, event::PathKind kind, std::uint8_t ttl = 0);
  /// Nothing goes there any more: the channel is gone. `reason`, should it be in use.
  void close(Instant now, const PathAddress& address, event::PathChangeReason reason);
  /// Nothing goes or comes by that socket any more.
  void close_socket(Instant now, Via via);
  /// The same way, carried by something of another kind.
  void rename(Instant now, const PathAddress& address, event::PathKind kind);
  void probe_now(Instant now);
  /// Something hints at large packets being lost since then (QUIC waits in vain): the path that packets go out on is in
  /// doubt, from the next handle_timeout on, until a check at full size passes.
  void doubt_full_size(Instant now, Instant since);
  void set_intervals(Instant now, const Options& options);
  /// Interfaces or addresses changed; `own`: this node's addresses now. What was sent from one that is gone is sent
  /// from whichever the kernel takes, to where the peer was; every path is probed, and checked at full size.
  void network_changed(Instant now, std::span<const IpAddress> own);
  /// QUIC has sent packets of its own: the paths in use are probed more often while that goes on, so that one that died
  /// is suspect within three probe time-outs.
  void traffic_sent(Instant now);
  void node_was_late(Instant now);

  // ---- input
  /// Answers it if it is the peer's. From an unknown address it is checked back: only that may prove a path.
  Verdict handle_request(Instant now, const Arrived& request);
  Verdict handle_response(Instant now, const Arrived& response);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<Transmit> poll_transmit();
  std::optional<Event> poll_event();
  Instant poll_timeout() const;

  // ---- getters
  const Keys& keys() const { return keys_; }
  /// Where packets go: one path; two while the first is in doubt; none when no path is alive.
  std::span<const PathAddress> sending() const { return sending_; }
  event::PathKind sending_kind() const { return in_use_.name.kind; }
  std::vector<Snapshot> snapshot() const;
  /// What packets go out on leads through a relay and is in doubt, and no other path is proved.
  bool only_relay_in_doubt() const;
  /// The latest proof over any path.
  std::optional<Instant> last_proof() const;
  std::size_t paths() const { return paths_.size(); }
  /// Whether a path, dead or alive, goes by that socket.
  bool uses(Via via) const;
  std::size_t candidates() const { return candidates_.size(); }
  std::size_t checks_under_way() const { return checks_.size(); }

 private:
  // ---- checks (set_messages.cpp)
  void send_check(Instant now, Check check, std::uint8_t ttl = 0);
  void send_probe(Instant now, Path& path);
  void send_full_check(Instant now, Path& path);
  Verdict handle_request(Instant now, const Arrived& request, Path& path, bool fresh);
  std::optional<wire::ReceiptFrame> heard(Instant now, const Arrived& request, Hearing& by, bool fresh);
  bool in_use(const PathAddress& address) const;
  void answer(const Arrived& request, const std::optional<wire::ReceiptFrame>& receipt);
  void proved(Instant now, const Arrived& response, const Check& check, Path& path);
  void take_receipt(const Arrived& response, Path& path);

  // ---- the table (set.cpp)
  Path* find(const PathAddress& address);
  Path* find(std::optional<PathId> id);
  /// Nullptr: no room.
  Path* create(Instant now, const Named& name, Size size);
  bool make_room();
  void move(Instant now, Path& path, const Named& to);
  void forget(Path& path, Forgotten why);
  void forget_dead(Instant now);
  void health_changed(Instant now, Path& path, event::PathHealth from);
  void turn(Instant now, Path& path);

  // ---- choosing (set_choice.cpp)
  /// Chooses anew, tells of it, and sets the paces that follow. After everything that changed a path.
  void select(Instant now, event::PathChangeReason if_gone = event::PathChangeReason::path_lost);
  std::optional<Instant> failed_since(const Selector::Change& change);
  void changed(Instant now, Instant since, const Selector::Change& change);
  void fail_over();
  void set_paces(Instant now);
  Duration standby_interval();

  /// The path that packets go out on, as it was when that was last looked at.
  struct InUse {
    Named name;
    std::optional<Instant> last_proof;  // of the last one, when there is none now
  };

  Keys keys_;
  Options options_;
  const probe::Starvation& starvation_;
  Rng rng_;
  std::vector<Path> paths_;
  std::uint32_t next_path_ = 0;
  Candidates candidates_;
  Checks checks_;
  ReplayWindow seen_;
  Hearing heard_;  // at all places
  /// A path that failed in use, until packets are known to arrive over another one.
  struct Failed {
    Named path;
    Instant last_good;
  };

  Selector selector_;
  InUse in_use_;
  std::optional<Failed> failed_;
  std::vector<PathAddress> sending_;
  TokenBucket strangers_{kStrangersPerSecond, kStrangersBurst};
  TokenBucket answers_{kAnswersPerSecond, kAnswersBurst};
  TokenBucket copies_{kCopiesPerSecond, kCopiesBurst};
  std::deque<Transmit> transmits_;
  std::deque<Event> events_;
};

}  // namespace pw::path
