// A node's verdict on the NATs in front of it, held against what they were declared to be.
#pragma once

#include <string>
#include <vector>

#include "event/nat.hpp"
#include "sim/stun/declared.hpp"

namespace pw::net {

/// Where the verdict is not what was declared, an axis each: "filtering: declared …, found …".
std::vector<std::string> differences(const Behaviour& declared, const event::NatBehaviour& found);
std::string to_string(const event::NatBehaviour& found);

}  // namespace pw::net
