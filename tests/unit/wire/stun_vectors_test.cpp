// The test vectors of the standards: RFC 5769 (all four) and RFC 8489 appendix B.1.
#include <catch2/catch_test_macros.hpp>

#include "base/digest.hpp"
#include "unit/wire/stun_samples.hpp"

using namespace pw;
using namespace pw::wire::stun;

namespace {

// RFC 5769 sections 2.1 to 2.4.
constexpr std::string_view kRequest =
    "00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74 00240004 6e0001ff"
    "80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020 00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249"
    "c1b571a2 80280004 e57a3bcf";
constexpr std::string_view kResponseV4 =
    "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200008 0001a147 e112a643"
    "00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96";
constexpr std::string_view kResponseV6 =
    "01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200014 0002a147 0113a9fa"
    "a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c";
constexpr std::string_view kLongTerm =
    "00010060 2112a442 78ad3433 c6ad72c0 29da412e 00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000 0015001c"
    "662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341 0014000b 6578616d 706c652e 6f726700 00080014"
    "f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666";
// RFC 8489 appendix B.1, as erratum 6268 corrects it.
constexpr std::string_view kSha256 =
    "00010090 2112a442 78ad3433 c6ad72c0 29da412e 001e0020 4a3cf38f ef6992bd a952c678 0417da0f 24819415 569e60b2"
    "05c46e41 407f1704 00150029 6f624d61 744a6f73 32414141 43662f2f 3439396b 39353464 364f4c33 346f4c39 46535476"
    "79363473 41000000 0014000b 6578616d 706c652e 6f726700 001d0004 00020000 001c0020 b5c7bf00 5b6c52a2 1c51c5e8"
    "92f81924 136296cb 927c4314 9309278c c6518e65";

constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";
constexpr TransactionId kTransaction{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }

}  // namespace

TEST_CASE("RFC 5769, 2.1: the sample request") {
  const Buffer bytes = from_spaced_hex(kRequest);
  const auto read = decode(bytes);
  REQUIRE(read);
  Message expected;
  expected.transaction = kTransaction;
  expected.software = "STUN test client";
  expected.priority = 0x6e0001ff;
  expected.username = "evtj:h6vY";
  CHECK(read->message == expected);
  CHECK(read->not_understood.empty());  // ICE-CONTROLLED may be ignored
  CHECK(read->fingerprint);
  CHECK(read->integrity == Integrity::sha1);
  CHECK(verify(bytes, Integrity::sha1, as_bytes(kPassword)));
  CHECK_FALSE(verify(bytes, Integrity::sha256, as_bytes(kPassword)));
  CHECK_FALSE(verify(bytes, Integrity::sha1, as_bytes("VOkJxbRl1RmTxUk/WvJxBT")));
}

TEST_CASE("RFC 5769, 2.2 and 2.3: the sample responses") {
  Message expected;
  expected.kind = Class::success;
  expected.transaction = kTransaction;
  expected.software = "test vector";
  const auto check = [&](std::string_view vector, std::string_view mapped) {
    const Buffer bytes = from_spaced_hex(vector);
    const auto read = decode(bytes);
    REQUIRE(read);
    expected.mapped = address(mapped);
    CHECK(read->message == expected);
    CHECK(read->fingerprint);
    CHECK(verify(bytes, Integrity::sha1, as_bytes(kPassword)));
  };
  check(kResponseV4, "192.0.2.1:32853");
  check(kResponseV6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

TEST_CASE("RFC 5769, 2.4: the sample request with long-term credentials") {
  const Buffer bytes = from_spaced_hex(kLongTerm);
  const auto read = decode(bytes);
  REQUIRE(read);
  CHECK(read->message.username == "\u30de\u30c8\u30ea\u30c3\u30af\u30b9");
  CHECK(read->not_understood == std::vector<std::uint16_t>{0x0015, 0x0014});  // NONCE, REALM: not spoken here
  CHECK_FALSE(read->fingerprint);
  // MD5 of "username:example.org:TheMatrIX"
  CHECK(verify(bytes, Integrity::sha1, from_spaced_hex("e8ca7ad59d5eb0518e312911d2dab2a9")));
}

TEST_CASE("RFC 8489, B.1: the sample request with MESSAGE-INTEGRITY-SHA256") {
  const Buffer bytes = from_spaced_hex(kSha256);
  const auto read = decode(bytes);
  REQUIRE(read);
  CHECK(read->integrity == Integrity::sha256);
  CHECK(read->not_understood == std::vector<std::uint16_t>{0x001e, 0x0015, 0x0014, 0x001d});
  const Digest key = sha256(as_bytes("\u30de\u30c8\u30ea\u30c3\u30af\u30b9:example.org:TheMatrIX"));
  CHECK(verify(bytes, Integrity::sha256, key));
  CHECK_FALSE(verify(bytes, Integrity::sha1, key));
}

TEST_CASE("what is encoded has the vectors' bytes") {
  Message m;
  m.kind = Class::success;
  m.transaction = kTransaction;
  const auto hex_of = [&](std::string_view mapped) {
    m.mapped = address(mapped);
    return to_hex(encode(m, Integrity::none, {}, Fingerprint::without));
  };
  CHECK(hex_of("192.0.2.1:32853") == "0101000c2112a442b7e7a701bc34d686fa87dfae002000080001a147e112a643");
  CHECK(hex_of("[2001:db8:1234:5678:11:2233:4455:6677]:32853") ==
        "010100182112a442b7e7a701bc34d686fa87dfae002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9");
}
