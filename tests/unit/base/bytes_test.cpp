#include "base/bytes.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/nearest.hpp"
#include "base/rng.hpp"

namespace pw {
namespace {

TEST_CASE("numbers are written in network byte order") {
  Buffer out;
  ByteWriter w{out};
  w.u8(0x01);
  w.u16(0x0203);
  w.u32(0x04050607);
  w.u64(0x08090a0b0c0d0e0fULL);
  w.bytes(as_bytes("hi"));
  w.zeros(2);
  CHECK(to_hex(out) == "0102030405060708090a0b0c0d0e0f68690000");
}

TEST_CASE("what was written is read back") {
  Rng rng{1};
  for (int run = 0; run < 500; ++run) {
    const std::uint64_t v = rng.next();
    Buffer tail(rng.below(20));
    rng.fill(tail);
    Buffer out;
    ByteWriter w{out};
    w.u8(static_cast<std::uint8_t>(v));
    w.u16(static_cast<std::uint16_t>(v));
    w.u32(static_cast<std::uint32_t>(v));
    w.u64(v);
    w.bytes(tail);
    ByteReader r{out};
    CHECK(r.u8() == static_cast<std::uint8_t>(v));
    CHECK(r.u16() == static_cast<std::uint16_t>(v));
    CHECK(r.u32() == static_cast<std::uint32_t>(v));
    CHECK(r.u64() == v);
    CHECK(r.remaining() == tail.size());
    const ByteView rest = r.rest();
    CHECK(Buffer(rest.begin(), rest.end()) == tail);
    CHECK(r.ok());
    CHECK(r.remaining() == 0);
  }
}

TEST_CASE("a read past the end gives 0 and spoils the reader for good") {
  const Buffer in{1, 2, 3};
  ByteReader r{in};
  CHECK(r.u16() == 0x0102);
  CHECK(r.u16() == 0);
  CHECK_FALSE(r.ok());
  CHECK(r.u8() == 0);  // although one byte is left
  CHECK(r.bytes(1).empty());
  CHECK_FALSE(r.ok());
}

TEST_CASE("no length makes a reader leave its bytes") {
  const Buffer in{1, 2, 3};
  for (const std::size_t n : {std::size_t{4}, SIZE_MAX, SIZE_MAX / 2}) {
    ByteReader r{in};
    CHECK(r.bytes(n).empty());
    CHECK_FALSE(r.ok());
  }
  ByteReader whole{in};
  CHECK(whole.bytes(3).size() == 3);
  CHECK(whole.bytes(0).empty());
  CHECK(whole.ok());
}

TEST_CASE("hexadecimal both ways") {
  CHECK(to_hex(Buffer{0x00, 0xff, 0x1a}) == "00ff1a");
  CHECK(from_hex("00FF1a") == Buffer{0x00, 0xff, 0x1a});
  CHECK(from_hex("") == Buffer{});
  for (const auto* bad : {"0", "0g", "g0", "0x", " 0", "00 "}) CHECK_FALSE(from_hex(bad));
}

TEST_CASE("edits between words") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("listen", "listne") == 1);  // neighbours swapped
  CHECK(edit_distance("LISTEN", "listen") == 0);
}

TEST_CASE("the nearest word is near, or none") {
  const std::vector<std::string> words{"listen", "level", "name"};
  CHECK(nearest("lisen", words) == "listen");
  CHECK(nearest("nmae", words) == "name");
  CHECK_FALSE(nearest("budget", words));
  CHECK_FALSE(nearest("", words));
  CHECK_FALSE(nearest(std::string(65, 'l'), words));
}

}  // namespace
}  // namespace pw
