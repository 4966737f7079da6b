// Rng: a deterministic, cryptographically strong generator (ChaCha20 key stream, RFC 8439), so that one type serves the
// daemon, seeded from the kernel, and the simulator, seeded from a number. Injected everywhere; split per child, so that
// one part's draws never shift another's.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/time.hpp"

namespace pw {

class Rng {
 public:
  using Seed = std::array<std::uint8_t, 32>;
  explicit Rng(const Seed& seed);
  explicit Rng(std::uint64_t seed);

  /// An independent generator, determined by this one's state.
  Rng split();

  std::uint64_t next();
  void fill(std::span<std::uint8_t> out);
  /// Uniform in [0, bound), without bias; bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1).
  double unit();
  bool chance(double probability) { return unit() < probability; }
  /// Uniform in [0, bound]; bound ≥ 0.
  Duration up_to(Duration bound) {
    return Duration{static_cast<std::int64_t>(below(static_cast<std::uint64_t>(bound.count()) + 1))};
  }

 private:
  void refill();
  std::array<std::uint32_t, 16> state_{};
  std::array<std::uint8_t, 64> block_{};
  std::size_t used_ = 64;
};

}  // namespace pw
