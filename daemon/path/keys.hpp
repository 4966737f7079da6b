// Keys of connectivity checks: what makes a check between two peers theirs.
//
// From the 32 bytes of the connection's TLS exporter by HMAC-SHA256 with a label each, so that nothing has to be
// exchanged: a key and a tag for each direction. The keys of the two directions differ: a packet that is thrown back at
// its sender does not verify. The tag, 16 characters, goes as USERNAME of a request and tells the receiver which
// connection's it is.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/digest.hpp"

namespace pw::path {

using Exporter = std::array<std::uint8_t, 32>;

struct Keys {
  std::string own_tag;   // USERNAME of the peer's requests
  std::string peer_tag;  // and of ours
  Digest send{};         // of our requests, and of the answers to them (RFC 8489 section 9.1, short-term credentials)
  Digest receive{};      // of the peer's
};

/// `dialled`: this node dialled the connection. What one end gets as `send` is the other's `receive`.
Keys derive_keys(const Exporter& exporter, bool dialled);

}  // namespace pw::path
