// Ethernet frames from a host of the laboratory: whatever runs there may send any.
// Input: one frame.
#include <algorithm>
#include <cstdint>

#include "base/check.hpp"
#include "functional/wire/neighbour.hpp"

using namespace pw;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto ethernet = lab::read_ethernet({data, size});
  if (!ethernet) return 0;
  constexpr lab::Mac kSelf{2, 0, 0, 0, 0, 2};
  static_cast<void>(lab::answer_neighbour(*ethernet, kSelf, [](const IpAddress&) { return false; }));
  const auto packet = lab::read_packet(ethernet->type, ethernet->payload);
  if (!packet) return 0;
  // What was read can be written, and is read again as the same packet.
  Buffer frame;
  PW_CHECK(lab::write_frame(*packet, kSelf, ethernet->source, 1, frame));
  PW_CHECK(frame.size() <= size);
  const auto again = lab::read_packet(ethernet->type, ByteView{frame}.subspan(lab::kEthernetHeader));
  PW_CHECK(again && again->source == packet->source && again->destination == packet->destination &&
           again->ttl == packet->ttl && again->payload.size() == packet->payload.size());
  return 0;
}
