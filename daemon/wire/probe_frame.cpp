#include "wire/probe_frame.hpp"

namespace pw::wire {
namespace {
constexpr std::uint8_t kRequest = 1;
constexpr std::uint8_t kAnswer = 2;
constexpr std::size_t kEchoHeader = 7;
}  // namespace

Buffer encode(const ProbeFrame& frame) {
  Buffer out;
  out.reserve(13);
  ByteWriter w{out};
  w.u8(kRequest);
  w.u32(frame.sequence);
  w.u32(frame.sent_us);
  w.u32(frame.path);
  return out;
}

Buffer encode(const ReceiptFrame& frame) {
  Buffer out;
  out.reserve(21);
  ByteWriter w{out};
  w.u8(kAnswer);
  w.u32(frame.sequence);
  w.u32(frame.highest);
  w.u64(frame.window);
  w.u32(frame.held_us);
  return out;
}

std::optional<std::variant<ProbeFrame, ReceiptFrame>> decode_probe(ByteView datagram) {
  ByteReader r{datagram};
  const std::uint8_t type = r.u8();
  if (type == kRequest) {
    ProbeFrame frame;
    frame.sequence = r.u32();
    frame.sent_us = r.u32();
    frame.path = r.u32();
    if (r.ok() && r.remaining() == 0) return frame;
  } else if (type == kAnswer) {
    ReceiptFrame frame;
    frame.sequence = r.u32();
    frame.highest = r.u32();
    frame.window = r.u64();
    frame.held_us = r.u32();
    if (r.ok() && r.remaining() == 0) return frame;
  }
  return std::nullopt;
}

Buffer encode(const EchoFrame& frame) {
  Buffer out;
  out.reserve(kEchoHeader + frame.padding);
  ByteWriter w{out};
  w.u8(frame.reply ? kAnswer : kRequest);
  w.u32(frame.sequence);
  w.u16(frame.padding);
  w.zeros(frame.padding);
  return out;
}

std::optional<EchoFrame> EchoReader::next() {
  if (broken_ || pending_.size() < kEchoHeader) return std::nullopt;
  ByteReader r{pending_};
  const std::uint8_t type = r.u8();
  EchoFrame frame;
  frame.reply = type == kAnswer;
  frame.sequence = r.u32();
  frame.padding = r.u16();
  if ((type != kRequest && type != kAnswer) || frame.padding > kMaxEchoPadding) {
    broken_ = true;
    pending_.clear();
    return std::nullopt;
  }
  if (r.remaining() < frame.padding) return std::nullopt;
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(kEchoHeader + frame.padding));
  if (pending_.empty()) Buffer{}.swap(pending_);
  return frame;
}

}  // namespace pw::wire
