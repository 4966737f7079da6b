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
  /// The same path was heard elsewhere, too: what came there has come.
  void add(const HeardProbes& elsewhere);
  const Jitter& jitter() const { return jitter_; }

 private:
  static constexpr std::int32_t kWindow = 64;  // bits of ReceiptFrame::window
  bool any_ = false;
  std::uint32_t highest_ = 0;
  std::uint64_t window_ = 0;  // bit n: highest_ - n came
  Jitter jitter_;
};

}  // namespace pw::probe
