#include "sim/standin/recovery.hpp"

#include <algorithm>
#include <utility>

namespace pw::quic::standin {
namespace {

constexpr std::uint64_t kReordering = 3;               // RFC 9002 section 6.1.1
constexpr std::uint64_t kMinWindow = 2 * kUdpPayload;  // section 7.2
constexpr std::uint64_t kBurst = 10 * kUdpPayload;     // section 7.7
constexpr unsigned kMaxBackoff = 16;                   // doublings; the idle timeout comes long before

bool covered(std::span<const Interval> ranges, std::uint64_t number) {
  return std::ranges::any_of(ranges, [&](const Interval& r) { return r.from <= number && number < r.to; });
}

}  // namespace

void Recovery::sent(Sent packet) {
  if (sent_.empty()) waiting_since_ = packet.at;
  in_flight_ += packet.size;
  last_sent_ = packet.at;
  // Five quarters of a window a round trip, so that a window is never left unused for the pacer's sake.
  const auto time_of = [this](std::uint64_t bytes) {
    return Duration{smoothed_.count() * 4 * static_cast<std::int64_t>(bytes) / static_cast<std::int64_t>(5 * window_)};
  };
  paced_until_ = std::max(paced_until_, packet.at - time_of(kBurst)) + time_of(packet.size);
  sent_.push_back(std::move(packet));
}

void Recovery::measure(Duration rtt) {
  latest_ = rtt;
  if (!std::exchange(measured_, true)) {
    minimum_ = smoothed_ = rtt;
    variation_ = rtt / 2;
    return;
  }
  minimum_ = std::min(minimum_, rtt);
  variation_ = (3 * variation_ + std::chrono::abs(smoothed_ - rtt)) / 4;
  smoothed_ = (7 * smoothed_ + rtt) / 8;
}

/// Section 7.3: slow start doubles a round trip, avoidance adds a packet to it; a window that nobody fills stays.
void Recovery::grow(const Sent& p) {
  if (p.at <= shrunk_at_ || 2 * in_flight_ < window_) return;
  window_ += window_ < threshold_ ? p.size : kUdpPayload * p.size / window_;
}

void Recovery::shrink(Instant now, const Sent& p) {
  if (p.at <= shrunk_at_) return;  // of the same round trip
  shrunk_at_ = now;
  window_ = threshold_ = std::max(window_ / 2, kMinWindow);
}

void Recovery::acknowledge(Instant now, std::span<const Interval> ranges, std::vector<Sent>& gone,
                           std::vector<Sent>& lost) {
  std::uint64_t largest = 0;
  for (const Interval& r : ranges) largest = std::max(largest, r.to - 1);
  largest_acknowledged_ = std::max(largest_acknowledged_, largest);
  std::size_t kept = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    Sent& p = sent_[i];
    if (p.number > largest || !covered(ranges, p.number)) {
      if (kept != i) sent_[kept] = std::move(p);
      ++kept;
      continue;
    }
    if (p.number == largest) measure(now - p.at);
    if (!p.chunks.empty()) waiting_since_ = now;
    grow(p);
    bytes += p.size;
    gone.push_back(std::move(p));
  }
  if (kept == sent_.size()) return;
  sent_.erase(sent_.begin() + static_cast<std::ptrdiff_t>(kept), sent_.end());
  in_flight_ -= bytes;
  probes_ = 0;
  detect(now, lost);
}

/// Section 6.1: what was sent before something acknowledged is lost, once enough packets or time lie between them.
void Recovery::detect(Instant now, std::vector<Sent>& lost) {
  const Duration patience = std::max(std::max(latest_, smoothed_) * 9 / 8, kGranularity);
  loss_at_ = kNever;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    Sent& p = sent_[i];
    const bool passed = p.number < largest_acknowledged_;
    if (passed && (p.number + kReordering <= largest_acknowledged_ || p.at + patience <= now)) {
      shrink(now, p);
      in_flight_ -= p.size;
      lost.push_back(std::move(p));
      continue;
    }
    if (passed) loss_at_ = earlier(loss_at_, p.at + patience);
    if (kept != i) sent_[kept] = std::move(p);
    ++kept;
  }
  sent_.erase(sent_.begin() + static_cast<std::ptrdiff_t>(kept), sent_.end());
}

Instant Recovery::deadline() const {
  if (loss_at_ != kNever) return loss_at_;
  if (sent_.empty()) return kNever;
  return saturating_add(last_sent_, pto() * (std::int64_t{1} << std::min(probes_, kMaxBackoff)));
}

bool Recovery::expire(Instant now, std::vector<Sent>& lost) {
  if (deadline() > now) return false;
  if (loss_at_ != kNever) {
    detect(now, lost);
    return false;
  }
  ++probes_;
  return true;
}

void Recovery::fill(Stats& s) const {
  s.smoothed_rtt = smoothed_;
  s.min_rtt = minimum_;
  s.pto = pto();
  s.cwnd = window_;
  s.bytes_in_flight = in_flight_;
  s.waiting_since = sent_.empty() ? kNever : waiting_since_;
}

}  // namespace pw::quic::standin
