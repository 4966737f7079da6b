// The way out of this machine, as its kernel says it: a route is looked up, the table is never read, which on a router
// may have a million (rtnetlink(7)).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "event/interfaces.hpp"

namespace pw::io {

/// Patterns of interfaces' names (fnmatch(3)).
bool fits(const char* interface, const std::vector<std::string>& patterns);

/// The router that packets to the internet go by. One behind an interface that fits `exclude` is left aside, as if its
/// routes were not there. Nothing: there is none. Blocks for as long as the kernel takes to look it up.
Result<std::optional<event::Gateway>> read_gateway(Family family, const std::vector<std::string>& exclude);

/// Whether what the kernel tells of a change (one read of a netlink socket) may concern the way out, or addresses: all but
/// routes to somewhere in particular.
bool concerns_the_way_out(ByteView messages);

}  // namespace pw::io
