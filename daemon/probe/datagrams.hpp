// Probe datagrams of one session: both our probes and the receipts that we owe the peer.
//
// Loss per direction. A probe's fate is settled by receipts alone: its own receipt (it got there and back), or a later
// receipt whose window shows whether it arrived (kReorder probes later at the earliest, since the network may reorder).
// What no receipt ever tells about stays unknown and is counted in neither direction: of a path that is dead the daemon
// says that it is dead, not how many were lost which way.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "probe/jitter.hpp"
#include "probe/starvation.hpp"
#include "wire/probe_frame.hpp"

namespace pw::probe {

class DatagramProber {
 public:
  /// Probes whose fate is open. At one a second a minute's worth; older ones stay unknown.
  static constexpr std::size_t kMaxOutstanding = 64;
  /// A receipt must be this many probes ahead before a gap counts as loss.
  static constexpr std::uint32_t kReorder = 2;

  /// `path`: the number that its probes carry.
  explicit DatagramProber(Instant epoch, std::uint32_t path = 0) : epoch_{epoch}, path_{path} {}

  /// A new probe, sent now.
  wire::ProbeFrame probe(Instant now);

  /// The newest probe could not be sent after all.
  void take_back(std::uint32_t sequence);

  struct Outcome {
    std::optional<Duration> rtt;  // the other side's holding time taken out
    bool rtt_suspect = false;
    std::uint32_t forward_expected = 0, forward_lost = 0;
    std::uint32_t return_expected = 0, return_lost = 0;
    std::uint32_t suspect = 0;
    bool proof = false;  // it answers a probe of ours, for the first time
  };
  Outcome handle_receipt(Instant received_at, const wire::ReceiptFrame& receipt, const Starvation& starvation);

  /// The receipt that a probe of the peer's deserves; none for one that came twice or is too old to tell.
  std::optional<wire::ReceiptFrame> handle_probe(Instant now, Instant received_at, const wire::ProbeFrame& probe);

  /// Whether it has heard later probes of the peer's than the other.
  bool ahead_of(const DatagramProber& other) const {
    return static_cast<std::int32_t>(highest_ - other.highest_) > 0;  // sequence numbers wrap
  }
  const Jitter& jitter() const { return jitter_; }
  std::size_t outstanding() const { return outstanding_.size(); }

 private:
  struct Sent {
    std::uint32_t sequence;
    Instant at;
    bool answered;
  };
  void settle(const wire::ReceiptFrame& receipt, const Starvation& starvation, Outcome& outcome);

  Instant epoch_;
  std::uint32_t path_;
  std::uint32_t next_sequence_ = 0;
  std::vector<Sent> outstanding_;
  // Of the peer's probes:
  bool any_ = false;
  std::uint32_t highest_ = 0;
  std::uint64_t window_ = 0;
  Jitter jitter_;
};

}  // namespace pw::probe
