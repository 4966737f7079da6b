// SentProbes: our probes over one path, and what the peer's receipts tell of them.
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
#include "probe/starvation.hpp"
#include "wire/probe_frame.hpp"

namespace pw::probe {

class SentProbes {
 public:
  /// Probes whose fate is open. At one a second a minute's worth; older ones stay unknown.
  static constexpr std::size_t kMaxOutstanding = 64;
  /// A receipt must be this many probes ahead before a gap counts as loss.
  static constexpr std::uint32_t kReorder = 2;

  /// `path`: the number that its probes carry.
  explicit SentProbes(Instant epoch, std::uint32_t path = 0) : epoch_{epoch}, path_{path} {}

  /// A new probe, sent now. `counts`: its loss is to be told.
  wire::ProbeFrame probe(Instant now, bool counts = true);

  struct Outcome {
    std::optional<Duration> rtt;  // the other side's holding time taken out
    bool rtt_suspect = false;
    // Of those that count, whose fate is known by this:
    std::uint32_t forward_expected = 0, forward_lost = 0;
    std::uint32_t return_expected = 0, return_lost = 0;
    std::uint32_t suspect = 0;
  };
  Outcome handle_receipt(Instant received_at, const wire::ReceiptFrame& receipt, const Starvation& starvation);

  std::size_t outstanding() const { return outstanding_.size(); }

 private:
  struct Sent {
    std::uint32_t sequence;
    Instant at;
    bool counts;
    bool answered = false;
  };
  void settle(const wire::ReceiptFrame& receipt, const Starvation& starvation, Outcome& outcome);

  Instant epoch_;
  std::uint32_t path_;
  std::uint32_t next_sequence_ = 0;
  std::vector<Sent> outstanding_;
};

}  // namespace pw::probe
