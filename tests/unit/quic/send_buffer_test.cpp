#include "quic/send_buffer.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"

namespace pw::quic {

TEST_CASE("a send buffer gives out every byte once, in order, and keeps it in place until it is acknowledged") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng{seed};
    SendBuffer buffer;
    Buffer written, seen;
    std::vector<std::pair<const std::uint8_t*, std::size_t>> in_flight;  // where a sent byte lies, and its offset
    std::uint64_t acknowledged = 0;
    for (int step = 0; step < 300; ++step) {
      switch (rng.below(3)) {
        case 0: {
          Buffer bytes(rng.below(rng.chance(0.2) ? 3000 : 60));
          rng.fill(bytes);
          buffer.append(bytes);
          written.insert(written.end(), bytes.begin(), bytes.end());
          break;
        }
        case 1: {
          std::array<ngtcp2_vec, 3> vectors;
          const std::size_t count = buffer.gather(vectors);
          std::size_t room = rng.below(1200), taken = 0;
          for (std::size_t i = 0; i < count; ++i) {
            REQUIRE(vectors[i].len > 0);
            const std::size_t n = std::min(room, vectors[i].len);
            for (std::size_t k = 0; k < n; k += 16) in_flight.emplace_back(vectors[i].base + k, seen.size() + k);
            seen.insert(seen.end(), vectors[i].base, vectors[i].base + n);
            room -= n;
            taken += n;
          }
          buffer.sent(taken);
          break;
        }
        default:
          acknowledged += rng.below(seen.size() - acknowledged + 1);
          buffer.acknowledged(acknowledged);
          std::erase_if(in_flight, [&](const auto& b) { return b.second < acknowledged; });
      }
      REQUIRE(buffer.size() == written.size() - acknowledged);
      REQUIRE(buffer.unsent() == written.size() - seen.size());
      REQUIRE(std::equal(seen.begin(), seen.end(), written.begin()));
      for (const auto& [where, offset] : in_flight) REQUIRE(*where == written[offset]);
    }
  }
}

}  // namespace pw::quic
