// Why a check, or a command to check, was refused. What is refused changes nothing. A name is an interface, as in
// event/vocabulary.hpp: add at the end.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace pw::path {

enum class Refusal : std::uint8_t {
  not_a_check,          // another method or class, an attribute that nobody here understands, an error response
  too_small,            // a request that its answer would not fit into
  unknown_user,         // a request for another connection, or thrown back at its sender
  no_integrity,         // no MESSAGE-INTEGRITY-SHA256
  wrong_key,            // forged, or changed on its way
  replayed,             // seen before, or too old to tell
  unknown_transaction,  // an answer to nothing that is under way
  wrong_source,         // an answer from elsewhere than where the question went (RFC 8445 section 7.2.5.2.1)
  forbidden_address,    // nobody may make us send there
  rate_limited,         // authentic; there were too many
  table_full
};
constexpr auto names(Refusal) {
  using namespace std::string_view_literals;
  return std::array{"not_a_check"sv,       "too_small"sv,    "unknown_user"sv,        "no_integrity"sv,
                    "wrong_key"sv,         "replayed"sv,     "unknown_transaction"sv, "wrong_source"sv,
                    "forbidden_address"sv, "rate_limited"sv, "table_full"sv};
}

/// Done, or why not.
using Verdict = Result<void, Refusal>;

}  // namespace pw::path
