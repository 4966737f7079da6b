#include "nat/port_mapping_wire.hpp"

#include <algorithm>
#include <array>

namespace pw::nat {
namespace {

struct Block {
  std::array<std::uint8_t, 4> address;
  unsigned bits;
};
// The first 32 bits say it all, in both families.
constexpr std::array kNotPublicV4{
    Block{{0, 0, 0, 0}, 8},      Block{{10, 0, 0, 0}, 8},      Block{{100, 64, 0, 0}, 10},   Block{{127, 0, 0, 0}, 8},
    Block{{169, 254, 0, 0}, 16}, Block{{172, 16, 0, 0}, 12},   Block{{192, 0, 0, 0}, 24},    Block{{192, 0, 2, 0}, 24},
    Block{{192, 168, 0, 0}, 16}, Block{{198, 18, 0, 0}, 15},   Block{{198, 51, 100, 0}, 24}, Block{{203, 0, 113, 0}, 24},
    Block{{224, 0, 0, 0}, 4},    Block{{240, 0, 0, 0}, 4}};
constexpr Block kGlobalUnicastV6{{0x20, 0, 0, 0}, 3};
constexpr std::array kDocumentationV6{Block{{0x20, 0x01, 0x0d, 0xb8}, 32}, Block{{0x3f, 0xff, 0, 0}, 20}};

bool holds(const Block& block, const IpAddress& ip) {
  ByteReader address{ip.bytes()};
  ByteReader prefix{block.address};
  return ((address.u32() ^ prefix.u32()) >> (32 - block.bits)) == 0;
}

}  // namespace

bool is_public(const IpAddress& ip) {
  const auto inside = [&](const Block& block) { return holds(block, ip); };
  if (ip.family() == Family::v4) return std::ranges::none_of(kNotPublicV4, inside);
  return inside(kGlobalUnicastV6) && std::ranges::none_of(kDocumentationV6, inside);
}

}  // namespace pw::nat
