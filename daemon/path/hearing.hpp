// Hearing: the peer's probes that came by one path, and the receipts that they deserve. The peer counts them by its own
// paths, which may be others than ours: behind a NAT's new mapping it goes on with a path that is new to us, or we see
// two of its paths as one. So there is a window for each number that its probes carry. One that goes on here after it
// was heard elsewhere takes its window along, or what came there would seem lost; but what is heard elsewhere from then
// on does not count here, or whoever brings copies from elsewhere could make the peer's probes fail.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "probe/datagrams.hpp"

namespace pw::path {

class Hearing {
 public:
  /// The peer's paths that end in one of ours: the latest, and those that it changes between.
  static constexpr std::size_t kMax = 4;

  const probe::DatagramProber* window(std::uint32_t path) const {
    const auto known = std::ranges::find(windows_, path, &Window::path);
    return known == windows_.end() ? nullptr : &known->probes;
  }
  /// It was heard elsewhere before; not yet here.
  void adopt(std::uint32_t path, const probe::DatagramProber& window) { add({path, window}); }

  /// None for a probe that came twice or is too old to tell. `received_at`: when the kernel had it.
  std::optional<wire::ReceiptFrame> receipt(Instant now, Instant received_at, const wire::ProbeFrame& probe) {
    auto known = std::ranges::find(windows_, probe.path, &Window::path);
    if (known == windows_.end())
      add({probe.path, probe::DatagramProber{received_at}});
    else
      std::rotate(known, known + 1, windows_.end());  // the one heard last is last
    return windows_.back().probes.handle_probe(now, received_at, probe);
  }
  /// Of the peer's path that was heard last (RFC 3550 section 6.4.1).
  std::optional<Duration> jitter() const {
    return windows_.empty() ? std::nullopt : windows_.back().probes.jitter().value();
  }

 private:
  struct Window {
    std::uint32_t path;
    probe::DatagramProber probes;
  };
  void add(Window window) {
    if (windows_.size() == kMax) windows_.erase(windows_.begin());
    windows_.push_back(std::move(window));
  }
  std::vector<Window> windows_;
};

}  // namespace pw::path
