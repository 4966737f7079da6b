// When this node itself was late: a sample whose life overlaps such a time says nothing about the peer.
#pragma once

#include "base/time.hpp"

namespace pw::probe {

class Starvation {
 public:
  /// From this lateness on a timer, or a received packet, shows that the node did not get to run.
  static constexpr Duration kThreshold = 50ms;

  /// The node is here at `now`, though it was due `lag` ago.
  void mark(Instant now) { last_end_ = now; }
  /// Whether a sample that began at `begin` and ends now is suspect.
  bool since(Instant begin) const { return last_end_ >= begin; }

 private:
  Instant last_end_ = Instant::min();
};

}  // namespace pw::probe
