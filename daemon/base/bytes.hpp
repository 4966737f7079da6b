// Bytes: views, owned buffers, and big-endian reading and writing within bounds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pw {

using ByteView = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

inline ByteView as_bytes(std::string_view s) { return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}; }
inline std::string_view as_text(ByteView b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }
std::string to_hex(ByteView bytes);
std::optional<Buffer> from_hex(std::string_view text);

/// Writes network byte order at the end of a buffer.
class ByteWriter {
 public:
  explicit ByteWriter(Buffer& out) : out_{out} {}
  void u8(std::uint8_t v) { out_.push_back(v); }
  void u16(std::uint16_t v) { big_endian(v, 2); }
  void u32(std::uint32_t v) { big_endian(v, 4); }
  void u64(std::uint64_t v) { big_endian(v, 8); }
  void bytes(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }
  void zeros(std::size_t n) { out_.insert(out_.end(), n, 0); }

 private:
  void big_endian(std::uint64_t v, int n) {
    for (int i = n - 1; i >= 0; --i) out_.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
  }
  Buffer& out_;
};

/// Reads network byte order. Once a read runs past the end, ok() is false for good and every further read gives 0.
class ByteReader {
 public:
  explicit ByteReader(ByteView in) : in_{in} {}
  std::uint8_t u8() { return static_cast<std::uint8_t>(big_endian(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian(4)); }
  std::uint64_t u64() { return big_endian(8); }
  ByteView bytes(std::size_t n) {
    if (!take(n)) return {};
    ByteView v = in_.first(n);
    in_ = in_.subspan(n);
    return v;
  }
  ByteView rest() { return bytes(in_.size()); }
  std::size_t remaining() const { return in_.size(); }
  bool ok() const { return ok_; }

 private:
  bool take(std::size_t n) {
    ok_ = ok_ && n <= in_.size();
    return ok_;
  }
  std::uint64_t big_endian(std::size_t n) {
    std::uint64_t v = 0;
    for (std::uint8_t b : bytes(n)) v = v << 8 | b;
    return v;
  }
  ByteView in_;
  bool ok_ = true;
};

}  // namespace pw
