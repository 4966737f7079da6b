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

// ---- traversal: what two ends do together to reach each other directly
/// Of an attempt: nat_attempts_total{trigger}.
enum class TraversalTrigger : std::uint8_t { initial, retry, network_change, path_lost };
constexpr auto names(TraversalTrigger) {
  return std::array{"initial"sv, "retry"sv, "network_change"sv, "path_lost"sv};
}

enum class TraversalResult : std::uint8_t { success, failure, cancelled };
constexpr auto names(TraversalResult) { return std::array{"success"sv, "failure"sv, "cancelled"sv}; }

/// nat_results_total{method}.
enum class TraversalMethod : std::uint8_t { punch, port_mapping, prediction, birthday, none };
constexpr auto names(TraversalMethod) {
  return std::array{"punch"sv, "port_mapping"sv, "prediction"sv, "birthday"sv, "none"sv};
}

/// nat_phase_duration_seconds{phase}.
enum class TraversalPhase : std::uint8_t {
  gathering,     // from when a direct path is wanted to the round: candidates, what NATs do, checks that need no round
  coordination,  // until both ends are ready to check
  punching,      // until one end has proved a path, or the end of it
  validation     // from the other end's proof to this end's
};
constexpr auto names(TraversalPhase) {
  return std::array{"gathering"sv, "coordination"sv, "punching"sv, "validation"sv};
}

/// nat_results_total{failure}.
enum class TraversalFailure : std::uint8_t {
  none,
  infeasible,    // these NATs, or what is supported by observation, leave nothing to try
  timeout,
  no_candidates,
  coordination,  // the other end did not answer, disagreed, or gave up
  validation,    // the other end has proved a path, this one could not
  budget         // packets, sockets, or the one search at a time
};
constexpr auto names(TraversalFailure) {
  return std::array{"none"sv,         "infeasible"sv, "timeout"sv, "no_candidates"sv,
                    "coordination"sv, "validation"sv, "budget"sv};
}

/// NATs by their classical names, as labels: nat_traversal_by_type_total{local_nat, remote_nat}.
enum class NatType : std::uint8_t {
  none,
  firewall_only,
  full_cone,
  restricted_cone,
  port_restricted,
  address_dependent,
  symmetric,
  symmetric_predictable,
  udp_blocked,
  unknown
};
constexpr auto names(NatType) {
  return std::array{"none"sv,      "firewall_only"sv,         "full_cone"sv,   "restricted_cone"sv, "port_restricted"sv, "address_dependent"sv,
                    "symmetric"sv, "symmetric_predictable"sv, "udp_blocked"sv, "unknown"sv};
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

/// `unknown` where what the name says was not measured.
constexpr NatType type_of(const NatBehaviour& b) {
  if (b.udp == Tested::no) return NatType::udp_blocked;
  switch (b.mapping) {
    case NatMapping::unknown: return NatType::unknown;
    case NatMapping::address_dependent: return NatType::address_dependent;
    case NatMapping::address_and_port_dependent:
      return b.allocation == PortAllocation::sequential && b.step != 0 ? NatType::symmetric_predictable : NatType::symmetric;
    case NatMapping::none:
    case NatMapping::endpoint_independent: break;
  }
  const bool nat = b.mapping == NatMapping::endpoint_independent;
  switch (b.filtering) {
    case NatFiltering::unknown: break;
    case NatFiltering::endpoint_independent: return nat ? NatType::full_cone : NatType::none;
    case NatFiltering::address_dependent: return nat ? NatType::restricted_cone : NatType::firewall_only;
    case NatFiltering::address_and_port_dependent: return nat ? NatType::port_restricted : NatType::firewall_only;
  }
  return NatType::unknown;
}

}  // namespace pw::event
