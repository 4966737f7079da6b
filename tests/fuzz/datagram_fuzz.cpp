// Any datagrams on the UDP port: an endpoint that answers, counts or drops each, and keeps nothing of strangers.
// Input: datagrams, each behind two bytes: its length, modulo 2048, and in the upper bits what happens before it
// (nothing, time passes, another source).
#include <algorithm>
#include <cstdint>

#include "base/check.hpp"
#include "quic/endpoint.hpp"
#include "wire/demux.hpp"

namespace {

using namespace pw;

constexpr std::size_t kMaxDatagrams = 64;  // an input: enough for a handshake's worth, and quick

quic::Identity make_identity() {
  auto identity = quic::Identity::from_seed({1, 2, 3});
  PW_CHECK(identity.has_value());
  return std::move(*identity);
}

struct Traffic {
  std::size_t received = 0;
  std::size_t sent = 0;
};

/// A driver's duty after every input. No answer to a stranger is larger than three times what came (RFC 9000
/// section 8.1).
void drain(quic::Endpoint& endpoint, Traffic& traffic) {
  while (const auto transmit = endpoint.poll_transmit()) {
    PW_CHECK(!transmit->bytes.empty());
    traffic.sent += transmit->bytes.size();
  }
  PW_CHECK(traffic.sent <= 3 * traffic.received);
  while (const auto event = endpoint.poll_event()) PW_CHECK(!std::holds_alternative<quic::Established>(*event));
  while (endpoint.poll_rejected()) {
  }
  static_cast<void>(endpoint.take_dropped_datagrams());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const quic::Identity identity = make_identity();
  quic::Options options;
  options.retry_threshold = 2;
  quic::Endpoint endpoint{options, identity, Rng{1}};
  Instant now{1s};
  PathAddress from{IpAddress::v4({127, 0, 0, 1}), {IpAddress::v4({127, 0, 0, 2}), 9470}};
  Traffic traffic;
  ByteReader reader{{data, size}};
  for (std::size_t n = 0; n < kMaxDatagrams && reader.remaining() > 2; ++n) {
    const std::uint16_t head = reader.u16();
    if (head & 0x8000) {
      now = std::max(now + 50ms, earlier(endpoint.poll_timeout(), now + 1s));
      endpoint.handle_timeout(now);
      drain(endpoint, traffic);
    }
    if (head & 0x4000) ++from.remote.port;
    const ByteView datagram = reader.bytes(std::min<std::size_t>(head % wire::kMaxDatagram, reader.remaining()));
    traffic.received += datagram.size();
    if (wire::classify(datagram) != wire::DatagramKind::quic) continue;
    static_cast<void>(endpoint.handle_datagram(now, now, from, datagram));
    drain(endpoint, traffic);
    PW_CHECK(endpoint.connections() <= n + 1);
  }
  return 0;
}
