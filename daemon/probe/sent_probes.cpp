#include "probe/sent_probes.hpp"

#include <algorithm>

namespace pw::probe {

using wire::distance;

wire::ProbeFrame SentProbes::probe(Instant now, bool counts) {
  if (outstanding_.size() == kMaxOutstanding) outstanding_.erase(outstanding_.begin());
  outstanding_.push_back({next_sequence_, now, counts});
  return {next_sequence_++, wire::to_microseconds(now - epoch_), path_};
}

SentProbes::Outcome SentProbes::handle_receipt(Instant received_at, const wire::ReceiptFrame& receipt,
                                                       const Starvation& starvation) {
  Outcome outcome;
  // A receipt can't know of a probe that was never sent.
  if (distance(receipt.highest, next_sequence_) <= 0 || distance(receipt.sequence, receipt.highest) < 0) return outcome;
  const auto sent = std::ranges::find(outstanding_, receipt.sequence, &Sent::sequence);
  if (sent != outstanding_.end() && !sent->answered) {
    sent->answered = true;
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

void SentProbes::settle(const wire::ReceiptFrame& receipt, const Starvation& starvation, Outcome& outcome) {
  std::erase_if(outstanding_, [&](const Sent& sent) {
    const std::int32_t behind = distance(sent.sequence, receipt.highest);
    bool arrived = sent.answered;
    if (!arrived) {
      if (behind < static_cast<std::int32_t>(kReorder) || behind >= 64) return false;
      arrived = (receipt.window >> behind & 1) != 0;
    }
    if (!sent.counts) return true;
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

}  // namespace pw::probe
