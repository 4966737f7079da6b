// A link as both the topology and [[do]] have it.
#pragma once

#include "sim/net/link.hpp"
#include "sim/scenario/fields.hpp"

namespace pw::sim::scenario {

/// Puts what the table `key` of `in` says onto `link`; what it does not name stays.
void read_link(Fields& in, const char* key, net::Link& link);

}  // namespace pw::sim::scenario
