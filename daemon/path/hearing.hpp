// Hearing: the peer's probes that came by one path, and the receipts that they deserve. The peer counts them by its own
// paths, which may be others than ours: behind a NAT's new mapping it goes on with a path that is new to us, or we see
// two of its paths as one. So there is a window for each number that its probes carry, and one that goes on here takes
// along what was heard of it elsewhere, or that would seem lost. But a probe that was heard elsewhere already takes
// nothing along, or whoever brings copies from elsewhere, sooner than the originals, could make the peer's probes fail.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "probe/heard_probes.hpp"

namespace pw::path {

class Hearing {
 public:
  /// The peer's paths, those that were heard last: as many as it may have (Set::kMaxPaths).
  static constexpr std::size_t kMax = 8;

  /// None for a probe that came twice or is too old to tell. `received_at`: when the kernel had it. `anywhere`: what was
  /// heard at all the places together, this one among them.
  std::optional<wire::ReceiptFrame> receipt(Instant now, Instant received_at, const wire::ProbeFrame& probe,
                                            Hearing& anywhere) {
    probe::HeardProbes& all = anywhere.of(probe.path);
    probe::HeardProbes& here = of(probe.path);
    if (!all.knows(probe.sequence)) here.add(all);
    static_cast<void>(all.receipt(now, received_at, probe));
    return here.receipt(now, received_at, probe);
  }
  bool knows(const wire::ProbeFrame& probe) const {
    const auto known = std::ranges::find(windows_, probe.path, &Window::path);
    return known != windows_.end() && known->probes.knows(probe.sequence);
  }
  /// Of the peer's path that was heard last (RFC 3550 section 6.4.1).
  std::optional<Duration> jitter() const {
    return windows_.empty() ? std::nullopt : windows_.back().probes.jitter().value();
  }
  std::size_t size() const { return windows_.size(); }

 private:
  struct Window {
    std::uint32_t path;
    probe::HeardProbes probes;
  };
  /// The one heard last is last.
  probe::HeardProbes& of(std::uint32_t path) {
    const auto known = std::ranges::find(windows_, path, &Window::path);
    if (known != windows_.end()) {
      std::rotate(known, known + 1, windows_.end());
    } else {
      if (windows_.size() == kMax) windows_.erase(windows_.begin());
      windows_.push_back({path, {}});
    }
    return windows_.back().probes;
  }
  std::vector<Window> windows_;
};

}  // namespace pw::path
