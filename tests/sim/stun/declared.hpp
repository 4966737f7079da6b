// What RFC 5780's procedure has to find behind a NAT or firewall that is declared so, alone or one behind another: the
// ground truth that NatDiscovery's findings are held against.
#pragma once

#include <string>
#include <vector>

#include "sim/net/firewall.hpp"
#include "sim/net/nat.hpp"
#include "sim/stun/nat_discovery.hpp"

namespace pw::net {

/// Nothing in the way at all.
Behaviour declared_public();
/// Behind this NAT with so many outer addresses. A hairpin is found only where its packets can pass the filter: the
/// receiving mapping must have sent to where they come from, which it never has where each remote has a mapping of its
/// own, or the filter must not ask.
Behaviour declared(const NatOptions& options, std::size_t pool);
/// Behind a firewall without a NAT: stateful, or letting everything or nothing pass.
Behaviour declared(const FirewallOptions& options);

/// A NAT behind a NAT. RFC 4787 speaks of one; for two, seen from the far side of the outer one:
///   mapping    the stricter: remotes share an outer port only if they share it at both
///   filtering  the stricter: a packet must pass both
///   ports      the outer one's, unless that preserves what the inner one chose
///   pooling    the outer one's; an arbitrary inner one may or may not show through a pool outside
///   hairpin    the outer one's, since it is its address that is aimed at, if the packet passes both filters on its way
///              back in: see hairpin_passes()
///   time-out   the shorter
Behaviour behind(const Behaviour& inner, const Behaviour& outer);

/// Where the findings are not what was declared: "filtering: declared …, found …", an axis each. What is not declared is
/// not compared; the declared time-out (in alive_after) must lie within what was found.
std::vector<std::string> differences(const Behaviour& declared, const Behaviour& found);

}  // namespace pw::net
