// BandwidthTest: one active measurement with one peer, as whoever asks or as whoever answers.
//
//   asks:    request(upload) → accepted → sends on a stream of its own → report → request(download) → accepted → opens
//   a
//            stream, receives → report (for the other side's books) → done
//   answers: request → accepted, busy or quota → receives or sends on the asker's stream → report
//
// The rate is the receiver's: bytes after the first arrival, over the time from the first arrival to the last. On a
// slow path it reports what came by its deadline. The stream is under QUIC's congestion control like everything else.
// Bounded by bytes, by time, and by the day's quota.
#pragma once

#include <algorithm>
#include <optional>

#include "event/snapshot.hpp"
#include "peer/context.hpp"
#include "peer/link.hpp"

namespace pw::peer {

inline constexpr std::uint64_t kMaxTestBytes = 64 << 20;  // each direction: enough for 5 s at 100 Mbit/s
inline constexpr Duration kMaxTestDuration = 10s;         // each direction

class BandwidthTest {
 public:
  /// As the asker; `ticket` is answered at the end, whatever happens. The lease (context.bandwidth_busy) is held
  /// already.
  BandwidthTest(Context& context, const PeerId& peer, Instant now, event::Ticket ticket, std::uint64_t bytes,
                Duration duration, Link& link);
  /// As the answerer of `request`, which is accepted.
  BandwidthTest(Context& context, const PeerId& peer, Instant now, const wire::BandwidthRequest& request, Link& link);

  void handle(Instant now, const wire::ControlMessage& message, Link& link);
  void handle_bulk(Instant now, const LinkBulk& bulk, Link& link);
  void handle_drained(Instant now, quic::StreamId stream);
  void handle_timeout(Instant now, Link& link);
  /// Ends it because the session ends.
  void abandon();

  bool done() const { return phase_ == Phase::done; }
  /// Bytes a second, once measured.
  const std::optional<event::BandwidthEstimate>& inbound() const { return inbound_; }
  const std::optional<event::BandwidthEstimate>& outbound() const { return outbound_; }
  Instant next_timeout() const {
    if (done()) return kNever;
    return phase_ == Phase::sending ? earlier(deadline_, next_pump_) : deadline_;
  }

 private:
  enum class Phase { asking, sending, awaiting_report, receiving, done };
  struct Meter {
    std::uint64_t bytes = 0;  // after the first arrival
    bool any = false;
    Instant first{}, last{};
    void add(Instant now, std::size_t n) {
      if (any) bytes += n;
      if (!any) first = now;
      any = true;
      last = now;
    }
    Duration elapsed() const { return last - first; }
  };
  void ask(Instant now, wire::Transfer direction, Link& link);
  void accepted(Instant now, std::uint64_t bytes, Link& link);
  void pump(Instant now);
  void received(Instant now, Link& link);
  void end_stream(quic::StreamId stream);
  void record(Instant now, event::Direction direction, std::uint64_t bytes, Duration elapsed);
  void finish(Instant now);
  void fail(event::CommandError code, std::string detail);

  Context& context_;
  PeerId peer_;
  quic::Handle handle_;
  std::optional<event::Ticket> ticket_;  // the asker's
  std::uint64_t id_ = 0;
  wire::Transfer direction_ = wire::Transfer::upload;
  std::uint64_t limit_ = 0;
  Duration duration_{};
  Phase phase_ = Phase::asking;
  Instant deadline_{};
  Instant send_until_{};
  Instant next_pump_{};
  std::uint64_t left_ = 0;
  std::optional<quic::StreamId> stream_;
  Meter meter_;
  event::BandwidthAnswer answer_{};
  std::optional<event::BandwidthEstimate> inbound_;
  std::optional<event::BandwidthEstimate> outbound_;
};

}  // namespace pw::peer
