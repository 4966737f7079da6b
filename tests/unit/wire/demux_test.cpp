#include <catch2/catch_test_macros.hpp>

#include "wire/demux.hpp"

using namespace pw;
using wire::DatagramKind;

TEST_CASE("the first byte tells the protocol (RFC 9443)") {
  for (unsigned first = 0; first < 256; ++first) {
    const Buffer datagram{static_cast<std::uint8_t>(first), 0};
    const DatagramKind expected = first <= 3    ? DatagramKind::stun
                                  : first >= 64 ? DatagramKind::quic
                                                : DatagramKind::unknown;
    CHECK(wire::classify(datagram) == expected);
  }
  CHECK(wire::classify({}) == DatagramKind::empty);
  CHECK(wire::classify(Buffer(wire::kMaxDatagram, 0xc0)) == DatagramKind::quic);
  CHECK(wire::classify(Buffer(wire::kMaxDatagram + 1, 0xc0)) == DatagramKind::oversized);
}
