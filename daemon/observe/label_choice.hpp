// Which peers carry a label of their own when there are more than may.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pw::observe {

struct LabelCandidate {
  bool always = false;        // always_label
  bool labelled = false;      // has one now
  double badness = 0;         // loss ratio 0 … 1; 1 for a configured peer that is not connected
  std::uint64_t traffic = 0;  // bytes since the last choice
};

/// True for at most `limit` candidates: first those with `always`, then half of the rest by badness, the others by
/// traffic. Who has a label counts half as much again, so that two alike don't take turns. Equal candidates go by their
/// order. Linear on average.
std::vector<bool> choose_labels(std::span<const LabelCandidate> candidates, std::size_t limit);

}  // namespace pw::observe
