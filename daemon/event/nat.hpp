// What NATs do, in the terms of RFC 4787, and what was found out about the ones in front of this node (RFC 5780). A name
// here is an interface, as in vocabulary.hpp. What was not measured is `unknown` or empty, never a guess.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/names.hpp"
#include "base/time.hpp"

namespace pw::event {

using namespace std::string_view_literals;

/// RFC 4787 section 4.1. `none`: the outer address is the inner one.
enum class NatMapping : std::uint8_t {
  unknown,
  none,
  endpoint_independent,
  address_dependent,
  address_and_port_dependent
};
constexpr auto names(NatMapping) {
  return std::array{"unknown"sv, "none"sv, "endpoint_independent"sv, "address_dependent"sv,
                    "address_and_port_dependent"sv};
}

/// RFC 4787 section 5; of a firewall too.
enum class NatFiltering : std::uint8_t {
  unknown,
  endpoint_independent,
  address_dependent,
  address_and_port_dependent
};
constexpr auto names(NatFiltering) {
  return std::array{"unknown"sv, "endpoint_independent"sv, "address_dependent"sv, "address_and_port_dependent"sv};
}

/// How new mappings get their outer ports (RFC 4787 section 4.2).
enum class PortAllocation : std::uint8_t { unknown, preserving, sequential, random };
constexpr auto names(PortAllocation) {
  return std::array{"unknown"sv, "preserving"sv, "sequential"sv, "random"sv};
}

enum class Tested : std::uint8_t { unknown, no, yes };
constexpr auto names(Tested) { return std::array{"unknown"sv, "no"sv, "yes"sv}; }

// ---- port mapping (PCP, NAT-PMP, UPnP IGD)
/// In the order in which they are tried.
enum class MappingProtocol : std::uint8_t { pcp, nat_pmp, upnp };
constexpr auto names(MappingProtocol) { return std::array{"pcp"sv, "nat_pmp"sv, "upnp"sv}; }

enum class MappingState : std::uint8_t {
  unavailable,  // nobody answered in this protocol, or nobody was asked
  refused,      // the gateway will not, or what it maps to is no public address
  failed,       // it could not, or the mapping did not work from outside
  unverified,   // mapped, by the gateway's word alone
  mapped        // and reached from outside
};
constexpr auto names(MappingState) {
  return std::array{"unavailable"sv, "refused"sv, "failed"sv, "unverified"sv, "mapped"sv};
}

/// Where the measurement of one family stands.
enum class NatState : std::uint8_t {
  off,         // not wanted: nat.enabled is false, or no server is configured
  no_address,  // this machine has no address of the family that somebody outside may know
  no_server,   // no server has one, or its name can't be looked up
  measuring,   // or it is about to be
  measured
};
constexpr auto names(NatState) {
  return std::array{"off"sv, "no_address"sv, "no_server"sv, "measuring"sv, "measured"sv};
}

// ---- candidates (RFC 8445 section 5.1)
enum class CandidateKind : std::uint8_t { host, server_reflexive, peer_reflexive, port_mapped, relayed };
constexpr auto names(CandidateKind) {
  return std::array{"host"sv, "server_reflexive"sv, "peer_reflexive"sv, "port_mapped"sv, "relayed"sv};
}

/// Why an address is no candidate. `own` and `gateway` need to know this node's surroundings.
enum class CandidateRefusal : std::uint8_t {
  none,
  no_port,
  unspecified,  // of IPv4: all of 0.0.0.0/8
  loopback,
  multicast,
  broadcast,
  link_local,  // of IPv6 too: an address without its zone leads nowhere
  reserved,    // 240.0.0.0/4; IPv4 inside IPv6 (mapped, compatible); site-local IPv6 (section 5.1.1.1)
  own,         // this node itself
  gateway,
  duplicate,
  too_many,
  unknown_kind
};
constexpr auto names(CandidateRefusal) {
  return std::array{"none"sv,     "no_port"sv, "unspecified"sv, "loopback"sv,  "multicast"sv, "broadcast"sv, "link_local"sv,
                    "reserved"sv, "own"sv,     "gateway"sv,     "duplicate"sv, "too_many"sv,  "unknown_kind"sv};
}

/// `family` in labels and JSON.
constexpr std::string_view name_of(Family family) { return family == Family::v4 ? "ipv4"sv : "ipv6"sv; }

/// One address family of this node, seen from outside.
struct NatBehaviour {
  Family family = Family::v4;
  Tested udp = Tested::unknown;  // no: nothing ever came back from any server: UDP is blocked
  std::optional<SocketAddress> mapped;  // of the node's own socket, as the last server saw it
  NatMapping mapping = NatMapping::unknown;
  bool mapping_at_least = false;  // it may depend on the port too: servers with one port each can't tell
  NatFiltering filtering = NatFiltering::unknown;
  Tested hairpin = Tested::unknown;
  PortAllocation allocation = PortAllocation::unknown;
  int step = 0;                         // from one new mapping's port to the next, sequential only; negative: downwards
  std::optional<Duration> lifetime;     // a mapping (or what lets a remote in) that was silent so long was still there
  std::optional<Duration> expires;      // and after so long it was gone
  unsigned servers = 0;                 // that answered; each confirms the others
  double confidence = 0;                // 0 … 1, of mapping and filtering together: what loss could have faked lowers it
  std::vector<std::string> not_tested;  // for people: what could not be tested, and why
  Instant measured{};
};

}  // namespace pw::event
