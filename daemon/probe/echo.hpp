// Health-check echo over the session's bidirectional stream: periodic requests, and pings on demand.
// QUIC makes the stream reliable, so an answer is late rather than lost; its RTT includes retransmissions, as the
// source documents define it. Requests that stay open for kGiveUp are forgotten (a ping on demand is then answered:
// time-out).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "event/command.hpp"
#include "probe/starvation.hpp"
#include "wire/probe_frame.hpp"

namespace pw::probe {

class EchoProber {
 public:
  /// Periodic requests open at once: when the stream stalls there is no use in more.
  static constexpr std::size_t kMaxPeriodic = 4;
  static constexpr std::size_t kMaxPings = 16;
  static constexpr Duration kGiveUp = 10s;

  /// The first request at `first`, the second `phase` later, which spreads the requests of many peers.
  EchoProber(Duration interval, Instant first, Duration phase) : interval_{interval}, phase_{phase}, next_{first} {}

  void set_interval(Duration interval) { interval_ = interval; }
  /// No periodic request before `at`.
  void postpone(Instant at) { next_ = std::max(next_, at); }
  /// A periodic request now, instead of the next; unless it matters not half an interval after the one before, so that what
  /// makes one wish for it, loss above all, does not outweigh quiet times in what is measured.
  /// At once is also for those that a dead path swallowed: the oldest of too many makes room.
  void hasten(Instant now, bool at_once) {
    next_ = earlier(next_, at_once ? now : std::max(now, last_ + interval_ / 2));
    urgent_ = urgent_ || at_once;
  }
  /// The periodic request, if one is due.
  std::optional<wire::EchoFrame> poll(Instant now);
  /// The same, if it is due within half an interval: it may go now, together with something else.
  std::optional<wire::EchoFrame> poll_early(Instant now);
  /// A request on demand; none if too many are under way.
  std::optional<wire::EchoFrame> ping(Instant now, event::Ticket ticket, std::uint16_t padding);

  struct Sample {
    Duration rtt;
    bool suspect;
    std::optional<event::Ticket> ticket;
  };
  /// `received_at`: when the kernel had the answer.
  std::optional<Sample> handle_reply(Instant received_at, std::uint32_t sequence, const Starvation& starvation);
  /// Tickets of pings that nobody answered in time. Forgets them.
  std::vector<event::Ticket> expire(Instant now);
  /// Tickets of all pings under way. Forgets them.
  std::vector<event::Ticket> abandon();

  Instant next_timeout() const;

 private:
  struct Open {
    std::uint32_t sequence;
    Instant at;
    std::optional<event::Ticket> ticket;
  };
  wire::EchoFrame open(Instant now, std::optional<event::Ticket> ticket, std::uint16_t padding);

  Duration interval_;
  std::optional<Duration> phase_;
  Instant next_;
  Instant last_{};  // a periodic one
  bool urgent_ = false;
  std::uint32_t next_sequence_ = 0;
  std::vector<Open> open_;  // by time
};

}  // namespace pw::probe
