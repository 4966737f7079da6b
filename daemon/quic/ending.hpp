// How a connection ended, said in the closed sets of event/vocabulary.hpp and in words for people.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "event/vocabulary.hpp"

namespace pw::quic {

struct Verdict {
  event::ErrorType error = event::ErrorType::unknown;
  std::optional<std::uint64_t> application_code;
  std::string detail;
};

/// The longest reason phrase of a peer that anybody gets to see.
inline constexpr std::size_t kMaxReason = 128;

/// The peer's CONNECTION_CLOSE (RFC 9000 section 19.19).
Verdict verdict_of_peer(const ngtcp2_ccerr& said);
/// What ngtcp2 returned; `alert` is the TLS alert that goes with NGTCP2_ERR_CRYPTO.
Verdict verdict_of_library(int error, std::uint8_t alert);
/// Cut at kMaxReason bytes; whatever isn't printable ASCII becomes '?'.
std::string printable(ByteView text);

}  // namespace pw::quic
