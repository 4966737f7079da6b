// Path: one way to the peer that was proved: a check of ours over it was answered. Keeps what is measured of it.
// Set sends its checks; a Path only says when, and judges.
#pragma once

#include <optional>

#include "event/snapshot.hpp"
#include "path/event.hpp"
#include "path/full_size.hpp"
#include "path/hearing.hpp"
#include "probe/liveness.hpp"
#include "probe/rtt_estimator.hpp"
#include "probe/sent_probes.hpp"

namespace pw::path {

/// Unique a Set, never given again.
enum class PathId : std::uint32_t {};

/// As event::PathSnapshot, with what a session of one path has once.
struct Snapshot {
  event::PathSnapshot path;
  std::optional<Duration> jitter;  // of the peer's probes (RFC 3550 section 6.4.1)
  std::optional<Instant> last_full_proof;  // when a check at full size was last answered
  std::optional<SocketAddress> mapped;     // where the peer sees us; relayed: nothing
};

class Path {
 public:
  struct Timing {
    Duration interval;  // of probes
    Duration phase;     // from the first to the second
    Duration full_interval;
  };
  /// Proved now. `heard_before`: has the probes of the peer that came over it already.
  Path(PathId number, const Named& called, Instant now, Size verdict, const Hearing& heard_before,
       const Timing& timing)
      : id{number},
        name{called},
        steady_since{now},
        sent{now, static_cast<std::uint32_t>(number)},
        heard{heard_before},
        liveness{timing.interval, now, timing.phase},
        size{now, verdict, timing.full_interval},
        since_{now} {
    liveness.proof(now);
  }

  bool alive() const { return liveness.health() != event::PathHealth::dead; }
  bool proved() const { return liveness.health() == event::PathHealth::proved; }
  bool doubtful() const { return !proved() || size.doubtful(); }
  Instant last_proof() const { return liveness.last_proof().value_or(since_); }
  /// What was sent earlier has arrived, as far as checks tell.
  Instant arrived_until() const {
    return (size.doubtful() ? size.passed_at().value_or(since_) : last_proof()) - rtt.smoothed().value_or(Duration{});
  }
  /// Of packets as large as QUIC's.
  Instant last_good() const { return size.verdict() == Size::small ? size.lost_since() : last_proof(); }
  Duration timeout() const { return probe::Liveness::timeout_of(rtt.smoothed(), rtt.variation()); }
  bool full_check_due(Instant now) const { return proved() && size.next_check() <= now; }
  Instant next_timeout() const {
    const Instant full = proved() ? size.next_check() : kNever;
    return earlier(liveness.next_timeout(), earlier(full, size.judge_at()));
  }

  /// A probe went out.
  void probed(Instant now) {
    last_probe = now;
    liveness.sent(now, timeout());
  }
  /// Packets were sent: a probe goes too, but not more often than one each time-out.
  void traffic_sent(Instant now) { liveness.probe_now(std::max(now, last_probe + timeout())); }
  void node_was_late(Instant now) {
    liveness.restart_wait(now);
    size.restart_wait(now, timeout());
  }

  Snapshot snapshot(bool in_use) const;

  PathId id;
  Named name;
  Instant steady_since;  // proved without a death in between
  std::optional<Instant> dead_since;
  std::optional<SocketAddress> mapped;
  Instant last_probe{};
  std::uint64_t samples = 0;  // of the RTT
  bool fast = true;           // probed as often as the path in use
  unsigned lost_in_use = 0;   // how often it was left because it failed
  std::optional<Instant> first_good;  // proof since packets go out on it
  probe::SentProbes sent;        // our probes
  Hearing heard;                 // the peer's
  probe::Liveness liveness;
  probe::RttEstimator rtt;
  FullSize size;

 private:
  Instant since_;
};

}  // namespace pw::path
