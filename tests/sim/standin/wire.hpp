// The stand-in's packets: a header, frames, and a tag over both. What any version of QUIC has in common is kept (RFC
// 8999), so that whoever looks on sees first bytes and connection IDs; sizes are close to QUIC's. Nothing is secret:
// the tag only tells damage, and packets of one connection from another's.
//
//   handshake: 0xc0 (may begin a connection) or 0xe0, version 4, 8, destination 8, 8, source 8, number 8, frames, tag 8
//   else:      0x40, destination 8, number 8, frames, tag 8
//   reset:     0x40, anything, token 8, the token's complement 8
//
// Numbers are in the machine's byte order: no packet leaves the process.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

#include "base/bytes.hpp"

namespace pw::quic::standin {

enum class Frame : std::uint8_t {
  padding,  // the rest of the packet
  ping,
  ack,              // largest 8, below it 4, further ranges 1, each: gap 2, below 2
  hello,            // the dialler's: nonce, parameters, protocol; makes the packet a full one
  answer,           // the acceptor's: nonce, parameters, key, reset token; makes the packet a full one
  proof,            // the dialler's key, which nobody proves here
  done,             // the acceptor has the proof
  stream,           // id 4, offset 8, size 2, bytes
  stream_end,       // the same, and nothing follows
  datagram,         // size 2, bytes
  max_data,         // 8
  max_stream_data,  // id 4, 8
  max_streams,      // 8
  close             // kind 1, code 8, size 2, reason
};

inline constexpr std::size_t kTag = 8;
inline constexpr std::size_t kHandshakeHeader = 31;
inline constexpr std::uint32_t kVersion = 0x77707770;  // no version of QUIC, in any byte order
inline constexpr std::uint8_t kIdSize = 8;
inline constexpr std::size_t kShortHeader = 17;
inline constexpr std::size_t kStreamHeader = 15;
inline constexpr std::size_t kDatagramHeader = 3;
inline constexpr std::size_t kAckSize = 14;
inline constexpr std::size_t kAckRange = 4;
inline constexpr std::uint8_t kFirstOfShort = 0x40;
inline constexpr std::uint8_t kFirstOfInitial = 0xc0;
inline constexpr std::uint8_t kFirstOfHandshake = 0xe0;

/// Spreads 64 bits over 64 bits (the finalizer of MurmurHash3).
constexpr std::uint64_t spread(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

inline std::uint64_t digest(ByteView bytes, std::uint64_t key) {
  std::uint64_t h = key + bytes.size();
  std::uint64_t word = 0;
  for (; bytes.size() >= sizeof word; bytes = bytes.subspan(sizeof word)) {
    std::memcpy(&word, bytes.data(), sizeof word);
    h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
    h ^= h >> 32;
  }
  word = 0;
  if (!bytes.empty()) std::memcpy(&word, bytes.data(), bytes.size());
  return spread(h ^ word);
}

/// Into a buffer whose room the caller has looked at.
class Writer {
 public:
  explicit Writer(std::span<std::uint8_t> out) : out_{out} {}
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) {
    std::memcpy(out_.data() + used_, &value, sizeof value);
    used_ += sizeof value;
  }
  void bytes(ByteView v) {
    if (!v.empty()) std::memcpy(out_.data() + used_, v.data(), v.size());
    used_ += v.size();
  }
  void pad_to(std::size_t size) {
    if (used_ < size) std::memset(out_.data() + used_, 0, size - used_);
    used_ = std::max(used_, size);
  }
  void seal(std::uint64_t key) { put(digest(out_.first(used_), key)); }
  std::size_t used() const { return used_; }
  std::size_t room() const { return out_.size() - used_ - kTag; }
  ByteView written() const { return out_.first(used_); }

 private:
  std::span<std::uint8_t> out_;
  std::size_t used_ = 0;
};

/// Like ByteReader: once past the end, ok() is false for good.
class Reader {
 public:
  explicit Reader(ByteView in) : in_{in} {}
  template <class T>
  requires std::is_trivially_copyable_v<T> T get() {
    T value{};
    const ByteView v = bytes(sizeof value);
    if (ok_) std::memcpy(&value, v.data(), sizeof value);
    return value;
  }
  ByteView bytes(std::size_t n) {
    ok_ = ok_ && n <= in_.size();
    if (!ok_) return {};
    const ByteView v = in_.first(n);
    in_ = in_.subspan(n);
    return v;
  }
  bool more() const { return ok_ && !in_.empty(); }
  bool ok() const { return ok_; }

 private:
  ByteView in_;
  bool ok_ = true;
};

struct Header {
  std::uint8_t first = 0;
  std::uint64_t destination = 0;
  std::uint64_t source = 0;  // of a handshake's packets
  std::uint64_t number = 0;
  bool handshake() const { return (first & 0x80) != 0; }
};

inline void put(Writer& out, const Header& h) {
  out.put(h.first);
  if (h.handshake()) {
    out.put(kVersion);
    out.put(kIdSize);
  }
  out.put(h.destination);
  if (h.handshake()) {
    out.put(kIdSize);
    out.put(h.source);
  }
  out.put(h.number);
}

/// As much of a header as there is, none if it is another protocol's. `frames`: what is between it and the tag, if all
/// of it is there.
inline std::optional<Header> parse(ByteView packet, std::optional<ByteView>& frames) {
  Header h;
  Reader r{packet};
  h.first = r.get<std::uint8_t>();
  if (h.handshake() && (r.get<std::uint32_t>() != kVersion || r.get<std::uint8_t>() != kIdSize)) return std::nullopt;
  h.destination = r.get<std::uint64_t>();
  if (!r.ok()) return std::nullopt;
  if (h.handshake() && r.get<std::uint8_t>() != kIdSize) return std::nullopt;
  if (h.handshake()) h.source = r.get<std::uint64_t>();
  h.number = r.get<std::uint64_t>();
  const std::size_t size = h.handshake() ? kHandshakeHeader : kShortHeader;
  if (packet.size() >= size + kTag) frames = packet.subspan(size, packet.size() - size - kTag);
  return h;
}

inline bool intact(ByteView packet, std::uint64_t key) {
  std::uint64_t tag = 0;
  std::memcpy(&tag, packet.data() + packet.size() - kTag, kTag);
  return tag == digest(packet.first(packet.size() - kTag), key);
}

}  // namespace pw::quic::standin
