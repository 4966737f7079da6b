// SipHash-2-4 (Aumasson, Bernstein 2012): a keyed pseudo-random function over short inputs. Used where an id must not
// be recognised by who lacks the key.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"

namespace pw::observe {

using SipKey = std::array<std::uint64_t, 2>;  // the 16 bytes of the key as two little-endian words

std::uint64_t siphash(const SipKey& key, ByteView message);

}  // namespace pw::observe
