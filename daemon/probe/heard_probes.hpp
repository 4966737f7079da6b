// HeardProbes: which probes of one path of the peer's have arrived, and the receipts that they deserve.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "probe/jitter.hpp"
#include "wire/probe_frame.hpp"

namespace pw::probe {

class HeardProbes {
 public:
  /// None for a probe that came twice or is too old to tell. `received_at`: when the kernel had it.
  std::optional<wire::ReceiptFrame> receipt(Instant now, Instant received_at, const wire::ProbeFrame& probe);

  /// It came; or it is too old to tell.
  bool knows(std::uint32_t sequence) const;
  /// Whether it has heard later probes than the other.
  bool ahead_of(const HeardProbes& other) const { return wire::distance(other.highest_, highest_) > 0; }
  /// `later`, which is ahead, heard others of the same path.
  void take_over(const HeardProbes& later);
  const Jitter& jitter() const { return jitter_; }

 private:
  static constexpr std::int32_t kWindow = 64;  // bits of ReceiptFrame::window
  bool any_ = false;
  std::uint32_t highest_ = 0;
  std::uint64_t window_ = 0;  // bit n: highest_ - n came
  Jitter jitter_;
};

}  // namespace pw::probe
