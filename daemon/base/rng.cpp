#include "base/rng.hpp"

#include <bit>
#include <cstring>

#include "base/check.hpp"

namespace pw {

Rng::Rng(const Seed& seed) {
  // RFC 8439 section 2.3: "expand 32-byte k", the key, a counter and a nonce.
  state_[0] = 0x61707865;
  state_[1] = 0x3320646e;
  state_[2] = 0x79622d32;
  state_[3] = 0x6b206574;
  for (std::size_t i = 0; i < 8; ++i)
    state_[4 + i] = static_cast<std::uint32_t>(seed[4 * i]) | static_cast<std::uint32_t>(seed[4 * i + 1]) << 8 |
                    static_cast<std::uint32_t>(seed[4 * i + 2]) << 16 | static_cast<std::uint32_t>(seed[4 * i + 3]) << 24;
}

Rng::Rng(std::uint64_t seed)
    : Rng{[seed] {
        Seed s{};
        for (std::size_t i = 0; i < 8; ++i) s[i] = static_cast<std::uint8_t>(seed >> (8 * i));
        return s;
      }()} {}

Rng Rng::split() {
  Seed seed{};
  fill(seed);
  return Rng{seed};
}

void Rng::refill() {
  auto x = state_;
  auto quarter = [&x](std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 7);
  };
  for (int round = 0; round < 10; ++round) {
    quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15);
    quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14);
  }
  for (std::size_t i = 0; i < 16; ++i) {
    const std::uint32_t word = x[i] + state_[i];
    for (std::size_t b = 0; b < 4; ++b) block_[4 * i + b] = static_cast<std::uint8_t>(word >> (8 * b));
  }
  if (++state_[12] == 0) ++state_[13];
  used_ = 0;
}

void Rng::fill(std::span<std::uint8_t> out) {
  for (std::uint8_t& b : out) {
    if (used_ == block_.size()) refill();
    b = block_[used_];
    block_[used_++] = 0;  // what was handed out is forgotten here
  }
}

std::uint64_t Rng::next() {
  std::array<std::uint8_t, 8> bytes{};
  fill(bytes);
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < 8; ++i) v |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  return v;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  PW_CHECK(bound > 0);
  const std::uint64_t limit = (0 - bound) % bound;  // 2^64 mod bound: draws below it would favour small values
  for (;;) {
    const std::uint64_t v = next();
    if (v >= limit) return v % bound;
  }
}

double Rng::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

}  // namespace pw
