// The file that makes a node the same node after a restart: state_dir/identity.key, 64 hexadecimal digits and a
// newline: the 32-byte seed of an Ed25519 private key (RFC 8032 section 5.1.5). Mode 0600.
//
// A key that others could have read or written is refused rather than used. A key that can't be stored is no reason not
// to run: the node then has an identity that lasts until it stops, and says so.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace pw::io {

using IdentitySeed = std::array<std::uint8_t, 32>;

struct IdentityFile {
  IdentitySeed seed{};
  std::string path;
  bool created = false;
  std::optional<std::string> not_stored;  // why it lasts only as long as this process
};

/// Reads `state_dir`/identity.key, or makes one from `entropy`. The directory is made (0700) if only it is missing; a
/// new file appears whole or not at all, and never replaces one that somebody else made meanwhile. An existing file
/// that is unreadable, malformed, no regular file, readable by others, or another user's, is an error: one line that
/// says what to do. Root may read the key of whoever owns the directory, and a key made by root belongs to that owner.
Result<IdentityFile> load_identity(const std::string& state_dir, const std::function<IdentitySeed()>& entropy);

}  // namespace pw::io
