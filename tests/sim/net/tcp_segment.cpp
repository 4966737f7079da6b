#include "sim/net/tcp_segment.hpp"

namespace pw::net {
namespace {

constexpr std::uint8_t kSyn = 1;
constexpr std::uint8_t kAck = 2;
constexpr std::uint8_t kFin = 4;
constexpr std::uint8_t kRst = 8;

// FNV-1a: each step is a bijection of the state, so that one changed byte always shows.
std::uint32_t checksum(ByteView bytes) {
  std::uint32_t sum = 2166136261U;
  for (const std::uint8_t b : bytes) sum = (sum ^ b) * 16777619U;
  return sum;
}

}  // namespace

Buffer TcpSegment::encode() const {
  Buffer rest;
  rest.reserve(kHeader + data.size());
  ByteWriter w{rest};
  w.u32(tag);
  w.u32(seq);
  w.u32(ack);
  const auto flags = static_cast<std::uint32_t>((syn ? kSyn : 0) | (has_ack ? kAck : 0) | (fin ? kFin : 0) | (rst ? kRst : 0));
  w.u32(flags << 24 | window);
  w.bytes(data);
  Buffer out;
  out.reserve(kHeader + data.size());
  ByteWriter{out}.u32(checksum(rest));
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

std::optional<TcpSegment> TcpSegment::decode(ByteView bytes) {
  ByteReader r{bytes};
  const std::uint32_t sum = r.u32();
  if (!r.ok() || sum != checksum(bytes.subspan(4))) return std::nullopt;
  TcpSegment s;
  s.tag = r.u32();
  s.seq = r.u32();
  s.ack = r.u32();
  const std::uint32_t last = r.u32();
  if (!r.ok()) return std::nullopt;
  s.window = last & kMaxWindow;
  const std::uint32_t flags = last >> 24;
  s.syn = (flags & kSyn) != 0;
  s.has_ack = (flags & kAck) != 0;
  s.fin = (flags & kFin) != 0;
  s.rst = (flags & kRst) != 0;
  const ByteView data = r.rest();
  s.data.assign(data.begin(), data.end());
  return s;
}

std::optional<Buffer> refusal(ByteView segment) {
  const auto got = TcpSegment::decode(segment);
  if (!got || got->rst) return std::nullopt;
  TcpSegment reset;
  reset.tag = got->tag;
  reset.rst = true;
  return reset.encode();
}

}  // namespace pw::net
