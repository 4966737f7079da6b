// StreamSender: one direction of a Stream as its sender keeps it: what is not acknowledged, how much may be under way,
// and when to send again (RFC 6298), with slow start, congestion avoidance and fast recovery (RFC 5681, RFC 6582). Slow
// start ends when a queue builds up, as in RFC 9406 but simpler: without selective acknowledgements, overshooting costs a
// round trip for every packet that was lost.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace pw::net {

struct StreamOptions {
  std::size_t segment = 1220;               // bytes of data in one: nothing here discovers a path's MTU; fits 1280
  std::size_t send_buffer = 256 << 10;      // written and not acknowledged
  std::size_t receive_buffer = 256 << 10;   // arrived and not read: the window
  Duration connect_timeout = 30s;
  Duration give_up = 100s;                  // without progress; RFC 1122 section 4.2.3.5 wants no less
  std::size_t max_streams = 4096;           // of a machine; further ones are refused
};

class StreamSender {
 public:
  static constexpr Duration kInitialRto = 1s;
  static constexpr Duration kMinRto = 200ms;  // as Linux
  static constexpr Duration kMaxRto = 60s;
  static constexpr Duration kMaxProbe = 5s;  // between probes of a closed window: many within give_up, for some are lost
  static constexpr Duration kQueue = 16ms;   // beyond half the least RTT on top of it: a queue, not jitter
  static constexpr std::size_t kInitialWindow = 10;  // segments; RFC 6928

  explicit StreamSender(const StreamOptions& options);

  /// How many of these bytes found room.
  std::size_t write(ByteView bytes);
  std::size_t room() const { return options_.send_buffer - data_.size(); }
  std::size_t buffered() const { return data_.size(); }
  void finish() { finishing_ = true; }
  bool finishing() const { return finishing_; }
  /// The other side has it all, the end too.
  bool done() const { return finishing_ && una_ == end() + 1; }

  /// False for an acknowledgement of what was never sent. `bare`: its segment carried nothing else.
  bool handle_ack(Instant now, std::uint64_t ack, std::uint32_t window, bool bare);
  std::uint64_t unacknowledged() const { return una_; }

  struct Piece {
    std::uint64_t seq = 0;
    bool syn = false;
    bool fin = false;
    Buffer data;
  };
  std::optional<Piece> poll(Instant now);

  Instant poll_timeout() const;
  /// False: given up.
  bool handle_timeout(Instant now);
  Duration smoothed_rtt() const { return srtt_; }

 private:
  std::uint64_t end() const { return 1 + acked_ + data_.size(); }  // the sequence number of FIN
  std::size_t under_way() const { return static_cast<std::size_t>(nxt_ - una_); }
  Piece piece(std::uint64_t from, std::uint64_t to) const;
  std::optional<Piece> next();
  void measure(Duration rtt);
  void lost(Instant now);

  StreamOptions options_;
  std::deque<std::uint8_t> data_;  // the first is number 1 + acked_
  std::uint64_t acked_ = 0;        // bytes of data
  bool finishing_ = false;
  std::uint64_t una_ = 0;   // 0 is SYN
  std::uint64_t nxt_ = 0;
  std::uint64_t high_ = 0;  // one past the highest that was ever sent
  std::uint64_t window_ = 1;
  std::uint64_t congestion_window_;
  std::uint64_t threshold_ = static_cast<std::uint64_t>(-1);
  unsigned duplicates_ = 0;
  std::optional<std::uint64_t> recover_;  // fast recovery until this is acknowledged
  bool again_ = false;                    // the first unacknowledged piece, whatever the windows say
  bool probe_ = false;                    // one byte beyond a closed window

  Duration least_rtt_ = Duration::max();
  Duration srtt_{};
  Duration rttvar_{};
  Duration rto_ = kInitialRto;
  std::optional<std::pair<std::uint64_t, Instant>> timed_;  // Karn: never one that was sent twice
  Instant retransmit_at_ = kNever;
  Instant stalled_since_ = kNever;
};

}  // namespace pw::net
