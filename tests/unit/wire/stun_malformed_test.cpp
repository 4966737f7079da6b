// What is wrong with a message is said, and what may be ignored is.
#include <catch2/catch_test_macros.hpp>

#include "unit/wire/stun_samples.hpp"

using namespace pw;
using namespace pw::wire::stun;

namespace {

const std::string kHead = " 2112a442 000000000000000000000000 ";

std::string error_of(const std::string& text) {
  const auto read = decode(from_spaced_hex(text));
  return read ? "" : read.error().detail;
}

/// A request of these attributes, with the length that it needs.
Buffer request(const std::string& attributes) {
  Buffer bytes = from_spaced_hex("0001 0000" + kHead + attributes);
  bytes[2] = static_cast<std::uint8_t>((bytes.size() - 20) >> 8);
  bytes[3] = static_cast<std::uint8_t>((bytes.size() - 20) & 0xff);
  return bytes;
}

std::string error_in(const std::string& attributes) {
  const auto read = decode(request(attributes));
  return read ? "" : read.error().detail;
}

}  // namespace

TEST_CASE("a header that is none is refused by what is wrong with it") {
  CHECK(error_of("0001 0000" + kHead).empty());
  CHECK(error_of("") == "shorter than a STUN header");
  CHECK(error_of("0001 0000 2112a442 0000000000000000000000") == "shorter than a STUN header");
  CHECK(error_of("4001 0000" + kHead) == "not STUN: the first two bits");
  CHECK(error_of("8001 0000" + kHead) == "not STUN: the first two bits");
  CHECK(error_of("0001 0000 2112a443 000000000000000000000000") == "not STUN: the magic cookie");
  CHECK(error_of("0001 0001" + kHead + "00") == "a length that is not a multiple of 4");
  CHECK(error_of("0001 0004" + kHead) == "a length that is not the datagram's");
  CHECK(error_of("0001 0000" + kHead + "8022 0000") == "a length that is not the datagram's");
  CHECK(error_of("0111 0000" + kHead) == "an error response without its ERROR-CODE");
}

TEST_CASE("an attribute that is malformed is refused by its name") {
  CHECK(error_in("8022 0001") == "an attribute that runs past the end");
  CHECK(error_in("8022 ffff 00000000") == "an attribute that runs past the end");
  CHECK(error_in("8022 0005 00000000") == "an attribute that runs past the end");
  CHECK(error_in("0001 0004 00010000") == "an address of family 1 in 4 bytes");
  CHECK(error_in("0020 0000") == "an address of family 0 in 0 bytes");
  CHECK(error_in("0020 0014 00010000 00000000 00000000 00000000 00000000") == "an address of family 1 in 20 bytes");
  CHECK(error_in("802b 0008 00020000 00000000") == "an address of family 2 in 8 bytes");
  CHECK(error_in("802c 0008 00030000 00000000") == "an address of family 3 in 8 bytes");
  CHECK(error_in("0003 0003 00000000") == "a CHANGE-REQUEST of 3 bytes");
  CHECK(error_in("0024 0008 00000000 00000000") == "a PRIORITY of 8 bytes");
  CHECK(error_in("0009 0003 00000400") == "an ERROR-CODE out of range");
  CHECK(error_in("0009 0004 00000263") == "an ERROR-CODE out of range");
  CHECK(error_in("0009 0004 00000463") == "");
  CHECK(error_in("0009 0004 00000464") == "an ERROR-CODE out of range");
  CHECK(error_in("0009 0004 00000700") == "an ERROR-CODE out of range");
  CHECK(error_in("000a 0003 00010000") == "half a type in UNKNOWN-ATTRIBUTES");
  CHECK(error_in("0008 0010 00000000 00000000 00000000 00000000") == "a MESSAGE-INTEGRITY of 16 bytes");
  CHECK(error_in("001c 0010 00000000 00000000 00000000 00000000") == "a MESSAGE-INTEGRITY-SHA256 of 16 bytes");
  CHECK(error_in("8028 0004 00000000") == "a FINGERPRINT that does not fit");
  CHECK(error_in("8028 0000") == "a FINGERPRINT that does not fit");
  CHECK(error_in("c0f0 0008 01000000 00000000") == "a malformed probe");
  CHECK(error_in("c0f1 0009 01000000 00000000 00000000") == "a malformed receipt");  // a probe's frame
  CHECK(error_in("0006 01fc" + std::string(2 * 508, '6')).empty());
  CHECK(error_in("0006 01fd" + std::string(2 * 512, '6')) == "a USERNAME of 509 bytes");
}

TEST_CASE("nothing may follow the fingerprint") {
  const Buffer alone = encode(Message{});
  Buffer more = alone;
  more[3] = 16;
  // The sum is right for a message of that length: what is wrong is only where the attribute stands.
  const Buffer sum = from_spaced_hex("43eb2f15");
  std::copy(sum.begin(), sum.end(), more.end() - 4);
  const Buffer software = from_spaced_hex("8022 0004 61626364");
  more.insert(more.end(), software.begin(), software.end());
  CHECK(decode(alone));
  CHECK(decode(more).error().detail == "something after the FINGERPRINT");
}

TEST_CASE("of an attribute that is there twice the first counts") {
  const auto read = decode(request(
      "0020 0008 0001 2113 2013a543 0020 0008 0001 2110 2310a640 0001 0008 0001 0007 07070707"
      "0024 0004 00000001 0024 0004 00000002 000a 0000 000a 0002 0001 0000 c0f2 0004 00000000 c0f2 0000"
      "0003 0004 00000002 0003 0004 00000004"));
  REQUIRE(read);
  CHECK(read->message.mapped == SocketAddress::parse("1.1.1.1:1").value());
  CHECK(read->message.priority == 1U);
  CHECK(read->message.unknown.empty());
  CHECK(read->message.fill == 8);
  CHECK(read->message.change == ChangeRequest{false, true});
}

TEST_CASE("the address that no NAT rewrites is preferred, in whichever order") {
  const std::string plain = "0001 0008 0001 0007 07070707";
  const std::string xored = "0020 0008 0001 2113 2013a543";
  CHECK(decode(request(plain))->message.mapped == SocketAddress::parse("7.7.7.7:7").value());
  CHECK(decode(request(plain + xored))->message.mapped == SocketAddress::parse("1.1.1.1:1").value());
  CHECK(decode(request(xored + plain))->message.mapped == SocketAddress::parse("1.1.1.1:1").value());
}

TEST_CASE("what is not understood is told where it has to be, each once and not without end") {
  const auto read = decode(request(
      "0031 0000 7fff 0001 aa000000 0031 0000 8000 0000 c0ff 0000 0026 0004 00000000 0027 0000"));
  REQUIRE(read);
  CHECK(read->not_understood == std::vector<std::uint16_t>{0x0031, 0x7fff});
  CHECK(read->padding);
  CHECK(read->response_port);

  Buffer many = request("");
  ByteWriter w{many};
  for (std::uint16_t type = 0x1000; type < 0x1000 + 500; ++type) {
    w.u16(type);
    w.u16(0);
  }
  many[2] = static_cast<std::uint8_t>((many.size() - 20) >> 8);
  many[3] = static_cast<std::uint8_t>((many.size() - 20) & 0xff);
  CHECK(decode(many)->not_understood.size() == kMaxTypes);
  CHECK(decode(request("000a 0028" + std::string(2 * 40, '1')))->message.unknown.size() == kMaxTypes);
}

TEST_CASE("a text that is too long is cut between two characters") {
  const auto software_of = [](std::size_t before) {  // so many letters, then characters of three bytes
    std::string value(2 * before, '6');
    for (std::size_t n = before; n < 300; n += 3) value += "e382b9";
    Buffer bytes = request("8022 0000" + value);
    const std::size_t size = bytes.size() - 24;
    while (bytes.size() % 4 != 0) bytes.push_back(0);
    bytes[2] = static_cast<std::uint8_t>((bytes.size() - 20) >> 8);
    bytes[3] = static_cast<std::uint8_t>((bytes.size() - 20) & 0xff);
    bytes[22] = static_cast<std::uint8_t>(size >> 8);
    bytes[23] = static_cast<std::uint8_t>(size & 0xff);
    return decode(bytes)->message.software.value();
  };
  CHECK(software_of(0).size() == 126);
  CHECK(software_of(1).size() == 127);
  CHECK(software_of(2).size() == 128);
  CHECK(software_of(300).size() == kMaxText);
}

TEST_CASE("verifying what was never decoded is only wrong") {
  Rng rng{5};
  const Buffer good = encode(random_message(rng), Integrity::sha1, as_bytes("key"));
  for (int i = 0; i < 20000; ++i) {
    Buffer bytes(rng.below(120));
    rng.fill(bytes);
    for (std::size_t n = rng.below(std::min(good.size(), bytes.size()) + 1); n > 0; --n) bytes[n - 1] = good[n - 1];
    REQUIRE_FALSE(verify(bytes, Integrity::sha256, as_bytes("key")));
    REQUIRE_FALSE(verify(bytes, Integrity::none, as_bytes("key")));
  }
  // Integrity where no length of a message reaches.
  Buffer huge = from_spaced_hex("0001 ffff" + kHead + "8000 fffc" + std::string(2 * 0xfffc, '0') + "0008 0014");
  huge.resize(huge.size() + 20);
  CHECK_FALSE(verify(huge, Integrity::sha1, as_bytes("key")));
}
