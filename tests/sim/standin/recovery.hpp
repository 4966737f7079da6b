// What was sent and is not acknowledged: round-trip times, loss, probe time-outs and a congestion window, after RFC
// 9002 (one packet number space, New Reno, a pacer that lets bursts of ten go, no persistent congestion).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/time.hpp"
#include "quic/endpoint.hpp"
#include "sim/standin/intervals.hpp"

namespace pw::quic::standin {

/// A piece of a stream in a packet.
struct Chunk {
  StreamId stream;
  std::uint64_t offset;
  std::size_t size;
  bool fin;
};

/// A packet that wants an acknowledgement.
struct Sent {
  std::uint64_t number;
  Instant at;
  std::uint32_t size;
  std::uint8_t promises;   // what has to be said again if it is lost
  std::uint8_t datagrams;  // which are not
  std::vector<Chunk> chunks;
};

class Recovery {
 public:
  /// The default of 333 ms would make the first loss cost a second (RFC 9002 section 6.2.2 allows another).
  static constexpr Duration kInitialRtt = 100ms;
  static constexpr Duration kGranularity = 1ms;
  static constexpr Duration kMaxAckDelay = 25ms;  // counted once the handshake is over (section 6.2.1)

  void sent(Sent packet);
  void handshake_done() { max_ack_delay_ = kMaxAckDelay; }
  /// `ranges` in any order; those of `gone` are acknowledged, those of `lost` will not be.
  void acknowledge(Instant now, std::span<const Interval> ranges, std::vector<Sent>& gone, std::vector<Sent>& lost);
  /// The deadline has passed: packets are lost, or (true) a probe has to be sent.
  bool expire(Instant now, std::vector<Sent>& lost);

  Instant deadline() const;
  bool has_room() const { return in_flight_ + kUdpPayload <= window_; }
  /// When the pacer lets the next packet go; in the past mostly.
  Instant paced_until() const { return paced_until_; }
  Duration pto() const { return smoothed_ + std::max(4 * variation_, kGranularity) + max_ack_delay_; }
  const std::vector<Sent>& waiting() const { return sent_; }
  void fill(Stats& stats) const;

 private:
  void measure(Duration rtt);
  void detect(Instant now, std::vector<Sent>& lost);
  void grow(const Sent& acknowledged);
  void shrink(Instant now, const Sent& lost);

  std::vector<Sent> sent_;  // by number
  std::uint64_t largest_acknowledged_ = 0;
  bool measured_ = false;
  Duration smoothed_ = kInitialRtt;
  Duration variation_ = kInitialRtt / 2;
  Duration latest_ = kInitialRtt;
  Duration minimum_{};
  Duration max_ack_delay_{};
  Instant last_sent_{};
  Instant paced_until_{};
  Instant loss_at_ = kNever;
  unsigned probes_ = 0;  // in a row
  std::uint64_t in_flight_ = 0;
  std::uint64_t window_ = 10 * kUdpPayload;  // RFC 9002 section 7.2
  std::uint64_t threshold_ = ~std::uint64_t{0};
  Instant shrunk_at_{};
  Instant waiting_since_{};  // as in Stats, while packets are under way
};

}  // namespace pw::quic::standin
