// What two ends tell each other before they punch, as messages of the session's control stream. What a message says that
// this version does not know is unknown, and what it could not have measured is left out: the other end's word decides what
// is tried, never whom it may be tried at.
#pragma once

#include <optional>

#include "nat/plan.hpp"
#include "nat/punch_terms.hpp"
#include "wire/control.hpp"

namespace pw::nat {

wire::Candidates to_wire(const Side& side);
/// Its candidates as they stand there, unjudged; of a kind that nobody knows here it has none.
Side side_of(const wire::Candidates& message);

wire::Punch to_wire(const PunchMessage& message);
/// None: it says nothing that this version knows.
std::optional<PunchMessage> punch_of(const wire::Punch& message);

}  // namespace pw::nat
