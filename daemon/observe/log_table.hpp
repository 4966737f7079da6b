// Which room and level each event's line has.
#pragma once

#include "event/event.hpp"
#include "observe/levels.hpp"

namespace pw::observe {

struct Importance {
  Room room;
  Level level;
};

/// A warning or an error asks somebody to do something; what mends itself is info.
Importance importance_of(const event::Event& event);

}  // namespace pw::observe
