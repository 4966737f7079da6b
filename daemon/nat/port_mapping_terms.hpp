// The closed sets of port mapping: protocols, the state of each, why one gives no mapping, and why an answer was not
// taken as it came. A name here is an interface (metrics, log lines): add at the end, never rename.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/names.hpp"
#include "event/nat.hpp"

namespace pw::nat {

using namespace std::string_view_literals;

using event::MappingProtocol;
using event::MappingState;

enum class MappingError : std::uint8_t {
  none,
  no_answer,
  unsupported_version,
  not_authorised,
  network_failure,
  no_resources,
  unsupported,
  malformed,
  address_mismatch,
  conflict,
  not_public,
  bad_port,
  unreachable,
  other
};
constexpr auto names(MappingError) {
  return std::array{"none"sv,        "no_answer"sv, "unsupported_version"sv, "not_authorised"sv, "network_failure"sv,
                    "no_resources"sv, "unsupported"sv, "malformed"sv,         "address_mismatch"sv, "conflict"sv,
                    "not_public"sv,  "bad_port"sv,  "unreachable"sv,         "other"sv};
}
/// For people; without a full stop.
constexpr std::string_view describe(MappingError error) {
  switch (error) {
    case MappingError::none: return "no error";
    case MappingError::no_answer: return "the gateway does not answer";
    case MappingError::unsupported_version: return "the gateway does not speak this protocol";
    case MappingError::not_authorised: return "the gateway does not allow this node to map ports";
    case MappingError::network_failure: return "the gateway has no connection to the outside itself";
    case MappingError::no_resources: return "the gateway has no room for another mapping";
    case MappingError::unsupported: return "the gateway does not support what is asked for";
    case MappingError::malformed: return "the gateway could not read the request";
    case MappingError::address_mismatch: return "there is another NAT between this node and the gateway";
    case MappingError::conflict: return "the outer port belongs to somebody else";
    case MappingError::not_public: return "refused: not a public address: there is another NAT outside the gateway";
    case MappingError::bad_port: return "the gateway names no outer port";
    case MappingError::unreachable: return "the mapping exists, but does not reach this node from outside";
    case MappingError::other: return "the gateway reports an error that it does not explain";
  }
  return "";
}
constexpr MappingState state_of(MappingError error) {
  switch (error) {
    case MappingError::none:
    case MappingError::no_answer:
    case MappingError::unsupported_version: return MappingState::unavailable;
    case MappingError::not_authorised:
    case MappingError::no_resources:
    case MappingError::not_public: return MappingState::refused;
    case MappingError::network_failure:
    case MappingError::unsupported:
    case MappingError::malformed:
    case MappingError::address_mismatch:
    case MappingError::conflict:
    case MappingError::bad_port:
    case MappingError::unreachable:
    case MappingError::other: return MappingState::failed;
  }
  return MappingState::failed;
}

/// What was wrong with an answer. The last four were taken nevertheless: as a refusal, or with another lifetime.
enum class AnswerFault : std::uint8_t {
  wrong_source,   // not the gateway's address and port 5351
  unasked,        // no request is under way that it could answer
  bad_length,     // too short, too long, or no multiple of four where that is demanded
  not_an_answer,  // a request, by its opcode
  wrong_version,
  wrong_opcode,  // of another request than the one under way
  wrong_nonce,
  wrong_port,  // for another inner port or transport protocol
  not_public,
  no_port,
  short_lifetime,
  long_lifetime
};
constexpr auto names(AnswerFault) {
  return std::array{"wrong_source"sv, "unasked"sv,    "bad_length"sv, "not_an_answer"sv, "wrong_version"sv,  "wrong_opcode"sv,
                    "wrong_nonce"sv,  "wrong_port"sv, "not_public"sv, "no_port"sv,       "short_lifetime"sv, "long_lifetime"sv};
}

}  // namespace pw::nat
