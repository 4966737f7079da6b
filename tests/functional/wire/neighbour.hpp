// Who has which address on a cable: the cable's far end answers ARP (RFC 826) and neighbour solicitations (RFC 4861) for
// every address but the host's own, so that each host finds its gateway and its neighbours there; and it asks for the
// host's own hardware address.
#pragma once

#include <functional>
#include <optional>

#include "functional/wire/frame.hpp"

namespace pw::lab {

/// Is it an address of the host at the near end?
using Owns = std::function<bool(const IpAddress&)>;

/// Whether a frame is the business of this file, and not a packet for the simulated internet.
bool is_neighbour_traffic(const Ethernet& frame);

/// The answer to an ARP request or a neighbour solicitation; none for everything else: other messages, malformed ones,
/// questions for the host's own addresses (it makes sure that it has them alone) and for link-local ones.
std::optional<Buffer> answer_neighbour(const Ethernet& frame, const Mac& self, const Owns& owns);

/// "Who has `address`?" from nobody's address (RFC 5227), which teaches the host nothing wrong. IPv4 only: a host with
/// IPv6 alone shows its hardware address with its first packet.
Buffer ask_neighbour(const IpAddress& address, const Mac& self);

}  // namespace pw::lab
