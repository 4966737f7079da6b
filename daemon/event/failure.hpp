// Which failure is what, as recovery is told it.
#pragma once

#include <optional>

#include "event/event.hpp"

namespace pw::event {

/// Of an event that tells of a failure whose cause it shows; of all others nothing. docs/metrics.md has the table. A failure
/// that fits no category (cryptography, a protocol that was broken, admission, a name that is not known) has none, and one
/// that another event tells of is sorted there.
std::optional<FailureCategory> category_of(const Event& e);

}  // namespace pw::event
