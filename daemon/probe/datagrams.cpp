#include "probe/datagrams.hpp"

#include <algorithm>

namespace pw::probe {
namespace {

constexpr std::int32_t distance(std::uint32_t from, std::uint32_t to) { return static_cast<std::int32_t>(to - from); }

std::uint32_t microseconds(Duration d) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

}  // namespace

wire::ProbeFrame DatagramProber::probe(Instant now) {
  if (outstanding_.size() == kMaxOutstanding) outstanding_.erase(outstanding_.begin());
  outstanding_.push_back({next_sequence_, now, false});
  return {next_sequence_++, microseconds(now - epoch_), path_};
}

void DatagramProber::take_back(std::uint32_t sequence) {
  if (!outstanding_.empty() && outstanding_.back().sequence == sequence) outstanding_.pop_back();
}

DatagramProber::Outcome DatagramProber::handle_receipt(Instant received_at, const wire::ReceiptFrame& receipt,
                                                       const Starvation& starvation) {
  Outcome outcome;
  // A receipt can't know of a probe that was never sent.
  if (distance(receipt.highest, next_sequence_) <= 0 || distance(receipt.sequence, receipt.highest) < 0) return outcome;
  const auto sent = std::ranges::find(outstanding_, receipt.sequence, &Sent::sequence);
  if (sent != outstanding_.end() && !sent->answered) {
    sent->answered = true;
    outcome.proof = true;
    const Duration held = std::chrono::microseconds{receipt.held_us};
    const Duration round = received_at - sent->at;
    if (round > Duration{} && held < round) {
      outcome.rtt = round - held;
      outcome.rtt_suspect = starvation.since(sent->at) || held > Starvation::kThreshold;
    }
  }
  settle(receipt, starvation, outcome);
  return outcome;
}

void DatagramProber::settle(const wire::ReceiptFrame& receipt, const Starvation& starvation, Outcome& outcome) {
  std::erase_if(outstanding_, [&](const Sent& sent) {
    const std::int32_t behind = distance(sent.sequence, receipt.highest);
    bool arrived = sent.answered;
    if (!arrived) {
      if (behind < static_cast<std::int32_t>(kReorder) || behind >= 64) return false;
      arrived = (receipt.window >> behind & 1) != 0;
    }
    if (starvation.since(sent.at)) {
      ++outcome.suspect;
      return true;
    }
    ++outcome.forward_expected;
    if (!arrived) {
      ++outcome.forward_lost;
      return true;
    }
    ++outcome.return_expected;
    if (!sent.answered) ++outcome.return_lost;
    return true;
  });
}

std::optional<wire::ReceiptFrame> DatagramProber::handle_probe(Instant now, Instant received_at,
                                                               const wire::ProbeFrame& probe) {
  if (!any_) {
    any_ = true;
    highest_ = probe.sequence;
    window_ = 1;
  } else {
    const std::int32_t ahead = distance(highest_, probe.sequence);
    if (ahead > 0) {
      window_ = ahead >= 64 ? 1 : window_ << ahead | 1;
      highest_ = probe.sequence;
    } else {
      if (ahead <= -64 || (window_ >> -ahead & 1) != 0) return std::nullopt;
      window_ |= 1ULL << -ahead;
    }
    // Jitter compares neighbours in order; a late one would be judged against its successor.
    if (ahead < 0) return wire::ReceiptFrame{probe.sequence, highest_, window_, microseconds(now - received_at)};
  }
  jitter_.add(received_at, probe.sent_us);
  return wire::ReceiptFrame{probe.sequence, highest_, window_, microseconds(now - received_at)};
}

}  // namespace pw::probe
