// What anybody on the way can read of a QUIC packet (RFC 9000 section 17.2, RFC 8999): the long header's type and
// connection IDs, as hashes.
#pragma once

#include <optional>

#include "base/bytes.hpp"

namespace pw::sim {

inline bool has_long_header(ByteView bytes) { return !bytes.empty() && (bytes[0] & 0x80) != 0; }

/// Types of version 1.
inline bool is_initial(ByteView bytes) { return has_long_header(bytes) && (bytes[0] & 0x30) == 0; }

struct ConnectionIds {
  std::uint64_t destination = 0;
  std::uint64_t source = 0;
};

inline std::uint64_t hash_of(ByteView bytes) {
  std::uint64_t h = 1469598103934665603ULL;
  for (const std::uint8_t b : bytes) h = (h ^ b) * 1099511628211ULL;
  return h;
}

inline std::optional<ConnectionIds> connection_ids(ByteView bytes) {
  constexpr std::size_t kFixed = 6;  // flags, version, length of the first ID
  if (!has_long_header(bytes) || bytes.size() < kFixed) return std::nullopt;
  const std::size_t destination = bytes[5];
  if (bytes.size() < kFixed + destination + 1) return std::nullopt;
  const std::size_t source = bytes[kFixed + destination];
  if (bytes.size() < kFixed + destination + 1 + source) return std::nullopt;
  return ConnectionIds{hash_of(bytes.subspan(kFixed, destination)), hash_of(bytes.subspan(kFixed + destination + 1, source))};
}

inline std::optional<std::uint64_t> source_id(ByteView bytes) {
  const auto ids = connection_ids(bytes);
  return ids ? std::optional{ids->source} : std::nullopt;
}

}  // namespace pw::sim
