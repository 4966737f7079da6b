// Monitor: whoever wants to know what happened. All telemetry is a fold over the same records.
#pragma once

#include "event/event.hpp"

namespace pw::observe {

class Monitor {
 public:
  virtual ~Monitor() = default;
  /// Called on the network thread, in order, for every record. Must be quick: count, copy, leave.
  virtual void handle(const event::Record& record) = 0;
};

}  // namespace pw::observe
