// Timeline: the net's virtual time runs as CLOCK_MONOTONIC does.
#pragma once

#include "functional/wire/clock.hpp"
#include "sim/net/net.hpp"

namespace pw::lab {

class Timeline {
 public:
  /// Now is the net's beginning.
  Timeline() : begin_{monotonic()} {}

  Instant now() const { return to_net(monotonic()); }
  Instant to_net(Duration clock) const { return net::Net::kStart + (clock - begin_); }
  Duration to_clock(Instant at) const { return at - net::Net::kStart + begin_; }

 private:
  Duration begin_;
};

}  // namespace pw::lab
