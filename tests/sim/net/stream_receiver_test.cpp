// A receiver puts together what comes in any order, overlapping and twice, within its buffer.
#include "sim/net/stream_receiver.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "base/rng.hpp"

using namespace pw;
using namespace pw::net;

TEST_CASE("pieces in any order, overlapping and repeated, give what was cut, and never more than the buffer holds") {
  const auto seed = GENERATE(range(1U, 30U));
  constexpr std::size_t kBuffer = 1000;
  Rng rng{seed};
  Buffer sent(20000);
  rng.fill(sent);
  StreamReceiver receiver{kBuffer};
  receiver.end_at(1 + sent.size());
  Buffer got;
  while (!receiver.drained()) {
    const std::size_t around = static_cast<std::size_t>(receiver.next() - 1);
    const std::size_t from = around + rng.below(2 * kBuffer);
    const std::size_t begin = from > kBuffer / 2 ? std::min(from - kBuffer / 2, sent.size()) : 0;
    const std::size_t size = std::min<std::size_t>(rng.below(400), sent.size() - begin);
    receiver.accept(1 + begin, ByteView{sent}.subspan(begin, size));
    REQUIRE(receiver.readable() + receiver.waiting() <= kBuffer);
    if (rng.chance(0.2)) {
      const Buffer part = receiver.read(rng.below(500));
      got.insert(got.end(), part.begin(), part.end());
    }
  }
  CHECK((got == sent));
}
