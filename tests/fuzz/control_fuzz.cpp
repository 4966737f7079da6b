// What a peer may send once it is connected: control messages, echo frames, probe frames. Whatever is accepted has one
// meaning: encoding it and reading that again gives the same. Cutting the stream elsewhere changes nothing.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.hpp"
#include "wire/control.hpp"
#include "wire/probe_frame.hpp"

namespace {

using namespace pw;

struct Cut {
  std::vector<Buffer> messages;  // encoded again
  bool failed = false;
};

Cut cut_control(ByteView bytes, std::size_t piece) {
  Cut cut;
  wire::ControlReader reader;
  while (!cut.failed && !bytes.empty()) {
    const std::size_t n = std::min(piece, bytes.size());
    reader.feed(bytes.first(n));
    bytes = bytes.subspan(n);
    while (auto message = reader.next()) {
      if (!*message) {
        cut.failed = true;
        break;
      }
      cut.messages.push_back(wire::encode(**message));
    }
  }
  return cut;
}

void control_stream(ByteView bytes) {
  const Cut whole = cut_control(bytes, bytes.size());
  const Cut pieces = cut_control(bytes, 3);
  PW_CHECK(whole.messages == pieces.messages && whole.failed == pieces.failed);
  for (const Buffer& message : whole.messages) {
    const Cut again = cut_control(message, message.size());
    PW_CHECK(again.messages.size() == 1 && again.messages[0] == message);
  }
}

void echo_stream(ByteView bytes) {
  wire::EchoReader reader;
  reader.feed(bytes);
  while (const auto frame = reader.next()) {
    wire::EchoReader again;
    again.feed(wire::encode(*frame));
    PW_CHECK(again.next() == frame);
  }
  PW_CHECK(reader.pending() <= bytes.size());
}

void probe_datagram(ByteView bytes) {
  const auto frame = wire::decode_probe(bytes);
  if (!frame) return;
  const Buffer again = std::visit([](const auto& f) { return wire::encode(f); }, *frame);
  PW_CHECK(wire::decode_probe(again) == frame);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes{data, size};
  control_stream(bytes);
  echo_stream(bytes);
  probe_datagram(bytes);
  static_cast<void>(wire::decode_control(bytes));
  return 0;
}
