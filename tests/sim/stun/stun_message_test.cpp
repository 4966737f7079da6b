// STUN messages: the vectors of RFC 5769, and what a stranger's bytes must not do.
#include "sim/stun/stun_message.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::net;

namespace {

Buffer hex(std::string_view text) {
  std::string digits;
  for (const char c : text)
    if (c != ' ') digits += c;
  auto bytes = from_hex(digits);
  REQUIRE(bytes);
  return *bytes;
}

// RFC 5769 sections 2.1 to 2.4.
const char* const kSampleRequest =
    "00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74 00240004 6e0001ff"
    "80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020 00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249"
    "c1b571a2 80280004 e57a3bcf";
const char* const kSampleIpv4Response =
    "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200008 0001a147 e112a643"
    "00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96";
const char* const kSampleIpv6Response =
    "01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200014 0002a147 0113a9fa"
    "a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c";

const TransactionId kVectorId{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }

std::string error_of(ByteView bytes) {
  const auto m = decode_stun(bytes);
  return m ? "" : m.error().detail;
}

StunMessage full_response() {
  StunMessage m;
  m.kind = StunMessage::Class::success;
  m.id = kVectorId;
  m.mapped = address("192.0.2.1:1");
  m.xor_mapped = address("[2001:db8::1]:65535");
  m.response_origin = address("198.51.100.1:3478");
  m.other_address = address("[2001:db8::2]:3479");
  m.software = "seven b";
  m.fingerprint = true;
  return m;
}

}  // namespace

TEST_CASE("the sample request of RFC 5769 is read, and what is not understood is told") {
  const auto m = decode_stun(hex(kSampleRequest));
  REQUIRE(m);
  CHECK(m->kind == StunMessage::Class::request);
  CHECK(m->id == kVectorId);
  CHECK(m->software == "STUN test client");
  CHECK(m->fingerprint);
  CHECK(m->not_understood == std::vector<std::uint16_t>{0x0024, 0x0006, 0x0008});  // PRIORITY, USERNAME, integrity
}

TEST_CASE("the sample responses of RFC 5769 give their addresses") {
  const auto v4 = decode_stun(hex(kSampleIpv4Response));
  REQUIRE(v4);
  CHECK(v4->kind == StunMessage::Class::success);
  CHECK(v4->xor_mapped == address("192.0.2.1:32853"));
  CHECK(v4->software == "test vector");
  CHECK(v4->fingerprint);
  const auto v6 = decode_stun(hex(kSampleIpv6Response));
  REQUIRE(v6);
  CHECK(v6->xor_mapped == address("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
  CHECK(v6->fingerprint);
}

TEST_CASE("an address is written as the vectors have it") {
  StunMessage m;
  m.kind = StunMessage::Class::success;
  m.id = kVectorId;
  m.xor_mapped = address("192.0.2.1:32853");
  CHECK(to_hex(encode(m)) == to_hex(hex("0101000c 2112a442 b7e7a701 bc34d686 fa87dfae 00200008 0001a147 e112a643")));
}

TEST_CASE("every field survives the wire") {
  const StunMessage response = full_response();
  const auto read = decode_stun(encode(response));
  REQUIRE(read);
  CHECK(*read == response);

  StunMessage request;
  request.id = kVectorId;
  request.change = ChangeRequest{true, false};
  request.response_port = 4711;
  CHECK(decode_stun(encode(request)) == request);
  request.change = ChangeRequest{false, true};
  CHECK(decode_stun(encode(request)) == request);

  StunMessage error;
  error.kind = StunMessage::Class::error;
  error.error = StunError{420, "Unknown Attribute"};
  error.unknown_attributes = {0x0024, 0x0006, 0x0008};
  error.fingerprint = true;
  CHECK(decode_stun(encode(error)) == error);
}

TEST_CASE("a bit that flips anywhere is noticed by the fingerprint, or it is no fingerprint any more") {
  const Buffer good = encode(full_response());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto m = decode_stun(bad);
    INFO("bit " << bit);
    CHECK((!m || !m->fingerprint));
  }
}

TEST_CASE("a message that is cut or too long is refused, wherever") {
  for (const char* vector : {kSampleRequest, kSampleIpv4Response, kSampleIpv6Response}) {
    const Buffer whole = hex(vector);
    for (std::size_t n = 0; n < whole.size(); ++n) CHECK_FALSE(decode_stun(ByteView{whole}.first(n)));
    // Cut, with a length that agrees: only on the border of an attribute is that a message.
    for (std::size_t n = 20; n < whole.size(); n += 4) {
      Buffer cut{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)};
      cut[2] = static_cast<std::uint8_t>((n - 20) >> 8);
      cut[3] = static_cast<std::uint8_t>((n - 20) & 0xff);
      const auto m = decode_stun(cut);
      CHECK((!m || !m->fingerprint));
    }
    Buffer longer = whole;
    longer.push_back(0);
    CHECK_FALSE(decode_stun(longer));
  }
}

TEST_CASE("what is wrong with a message is said") {
  const std::string head = " 2112a442 000000000000000000000000 ";
  CHECK(error_of(hex("0001 0000" + head)).empty());
  CHECK(error_of(hex("0001 0000 2112a443 000000000000000000000000")) == "not STUN");
  CHECK(error_of(hex("8001 0000" + head)) == "not STUN");
  CHECK(error_of(hex("0003 0000" + head)) == "a method other than Binding");
  CHECK(error_of(hex("0001 0004" + head)) == "a length that is not the datagram's");
  CHECK(error_of(hex("0001 0004" + head + "8022 0001")) == "an attribute that runs past the end");
  CHECK(error_of(hex("0001 0004" + head + "8022 ffff")) == "an attribute that runs past the end");
  CHECK(error_of(hex("0101 0008" + head + "0001 0004 0001 0000")) == "an address of family 1 in 4 bytes");
  CHECK(error_of(hex("0101 000c" + head + "0001 0008 0002 0000 00000000")) == "an address of family 2 in 8 bytes");
  CHECK(error_of(hex("0101 000c" + head + "0001 0008 0003 0000 00000000")) == "an address of family 3 in 8 bytes");
  CHECK(error_of(hex("0001 0008" + head + "0003 0003 00000000")) == "a CHANGE-REQUEST of 3 bytes");
  CHECK(error_of(hex("0001 0008" + head + "0027 0003 00000000")) == "a RESPONSE-PORT of the wrong size");
  CHECK(error_of(hex("0111 0008" + head + "0009 0004 00000264")) == "an ERROR-CODE out of range");
  CHECK(error_of(hex("0111 0000" + head)) == "an error response without its ERROR-CODE");
  CHECK(error_of(hex("0111 0010" + head + "0009 0004 00000414 000a 0003 00010000")) ==
        "half a type in UNKNOWN-ATTRIBUTES");
  CHECK(error_of(hex("0001 0008" + head + "8028 0004 00000000")) == "a FINGERPRINT that does not fit");
}

TEST_CASE("nothing may follow the fingerprint") {
  StunMessage m;
  m.fingerprint = true;
  const Buffer alone = encode(m);
  m.fingerprint = false;
  Buffer longer = encode(m);
  // The sum is right for a message of that length: what is wrong is only where the attribute stands.
  longer[3] = 16;
  const auto sum = [](ByteView bytes) {
    std::uint32_t crc = 0xffffffff;
    for (const std::uint8_t b : bytes) {
      crc ^= b;
      for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
    }
    return ~crc ^ 0x5354554eU;
  }(longer);
  ByteWriter w{longer};
  w.u32(0x80280004);
  w.u32(sum);
  w.u32(0x80220004);
  w.u32(0x61626364);
  CHECK(error_of(alone).empty());
  CHECK(error_of(longer) == "something after the FINGERPRINT");
}

TEST_CASE("an attribute that is there twice counts once, the first") {
  Buffer twice = hex("0101 0018 2112a442 000000000000000000000000 0001 0008 0001 0001 01010101 0001 0008 0001 0002 02020202");
  const auto m = decode_stun(twice);
  REQUIRE(m);
  CHECK(m->mapped == address("1.1.1.1:1"));
}
