// Time as text: RFC 3339 for machines, rounded durations for people.
#pragma once

#include <string>

#include "base/time.hpp"

namespace pw::observe {

/// "2026-11-21T10:22:02.123Z": UTC, always milliseconds, rounded down.
std::string rfc3339(WallTime at);

/// Three significant digits with the unit that fits: "840ns", "12.3µs", "1.5ms", "2.05s", "3m20s", "2h5m", "4d3h".
std::string human(Duration d);

}  // namespace pw::observe
