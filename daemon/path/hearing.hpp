// Hearing: the peer's probes that came by one path, and the receipts that they deserve. The peer counts them by its own
// paths, which may be others than ours: behind a NAT's new mapping it goes on with a path that is new to us, or we see
// two of its paths as one. So there is a window for each number that its probes carry. One that goes on here after it
// was heard elsewhere takes its window along, or what came there would seem lost. But a probe that was heard elsewhere
// already takes nothing along, or whoever brings copies from elsewhere, sooner than the originals, could make the
// peer's probes fail.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "probe/heard_probes.hpp"

namespace pw::path {

class Hearing {
 public:
  /// The peer's paths that end in one of ours: the latest, and those that it changes between.
  static constexpr std::size_t kMax = 4;

  /// Of that path of the peer's: what was heard here, if it was heard here later than `than`; else that.
  const probe::HeardProbes* later(std::uint32_t path, const probe::HeardProbes* than) const {
    const auto known = std::ranges::find(windows_, path, &Window::path);
    return known != windows_.end() && (!than || known->probes.ahead_of(*than)) ? &known->probes : than;
  }
  /// Before receipt(): `latest` is what was heard of its path, anywhere.
  void adopt(const wire::ProbeFrame& probe, const probe::HeardProbes& latest) {
    if (latest.knows(probe.sequence)) return;
    const auto known = std::ranges::find(windows_, probe.path, &Window::path);
    if (known == windows_.end())
      add({probe.path, latest});
    else if (latest.ahead_of(known->probes))
      known->probes.take_over(latest);
  }

  /// None for a probe that came twice or is too old to tell. `received_at`: when the kernel had it.
  std::optional<wire::ReceiptFrame> receipt(Instant now, Instant received_at, const wire::ProbeFrame& probe) {
    const auto known = std::ranges::find(windows_, probe.path, &Window::path);
    if (known == windows_.end())
      add({probe.path, {}});
    else
      std::rotate(known, known + 1, windows_.end());  // the one heard last is last
    return windows_.back().probes.receipt(now, received_at, probe);
  }
  /// Of the peer's path that was heard last (RFC 3550 section 6.4.1).
  std::optional<Duration> jitter() const {
    return windows_.empty() ? std::nullopt : windows_.back().probes.jitter().value();
  }

 private:
  struct Window {
    std::uint32_t path;
    probe::HeardProbes probes;
  };
  void add(Window window) {
    if (windows_.size() == kMax) windows_.erase(windows_.begin());
    windows_.push_back(std::move(window));
  }
  std::vector<Window> windows_;
};

}  // namespace pw::path
