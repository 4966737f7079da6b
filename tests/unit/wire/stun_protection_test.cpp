// Messages at random: they survive the wire, and nothing that changed on the way is taken for what was sent.
#include <catch2/catch_test_macros.hpp>

#include "base/digest.hpp"
#include "unit/wire/stun_samples.hpp"

using namespace pw;
using namespace pw::wire::stun;

namespace {

const ByteView kKey = as_bytes("a key of the session");

constexpr std::array kKinds{Integrity::sha1, Integrity::sha256};

/// The one thing that counts: whoever verifies reads what was sent.
bool harmless(ByteView datagram, Integrity integrity, const Message& sent) {
  const auto read = decode(datagram);
  return !read || read->integrity != integrity || !verify(datagram, integrity, kKey) || read->message == sent;
}

void set_length(Buffer& message, std::size_t further = 0) {
  const std::size_t length = message.size() - 20 + further;
  message[2] = static_cast<std::uint8_t>(length >> 8);
  message[3] = static_cast<std::uint8_t>(length & 0xff);
}

/// Puts a right MESSAGE-INTEGRITY behind a message, whatever that is.
Buffer with_sha1(Buffer message, ByteView key) {
  set_length(message, 24);
  const auto mac = hmac_sha1(key, message);
  ByteWriter w{message};
  w.u32(0x00080014);
  w.bytes(mac);
  return message;
}

}  // namespace

TEST_CASE("every message survives the wire, whatever protects it") {
  Rng rng{1};
  for (int i = 0; i < 3000; ++i) {
    const Message m = random_message(rng);
    for (const Integrity integrity : {Integrity::none, Integrity::sha1, Integrity::sha256}) {
      for (const Fingerprint fingerprint : {Fingerprint::without, Fingerprint::with}) {
        const Buffer bytes = encode(m, integrity, integrity == Integrity::none ? ByteView{} : kKey, fingerprint);
        const auto read = decode(bytes);
        REQUIRE(read);
        REQUIRE(read->message == m);
        REQUIRE(read->not_understood.empty());
        REQUIRE(read->integrity == integrity);
        REQUIRE(read->fingerprint == (fingerprint == Fingerprint::with));
        REQUIRE(verify(bytes, Integrity::sha1, kKey) == (integrity == Integrity::sha1));
        REQUIRE(verify(bytes, Integrity::sha256, kKey) == (integrity == Integrity::sha256));
        REQUIRE_FALSE(verify(bytes, integrity, as_bytes("another key")));
        REQUIRE_FALSE(verify(bytes, integrity, {}));
      }
    }
  }
}

TEST_CASE("a padded message has the size that was asked for, to the byte") {
  Rng rng{2};
  for (int i = 0; i < 500; ++i) {
    Message m = random_message(rng);
    m.fill = 0;
    const Integrity integrity = kKinds[rng.below(2)];
    const std::size_t need = encode(m, integrity, kKey).size();
    for (const std::size_t size : {std::size_t{0}, need - 4, need, need + 4, need + 8, need + 1024}) {
      const Buffer bytes = encode_padded(m, size, integrity, kKey);
      REQUIRE(bytes.size() == std::max(size, need));
      auto read = decode(bytes);
      REQUIRE(read);
      REQUIRE(verify(bytes, integrity, kKey));
      read->message.fill = 0;
      REQUIRE(read->message == m);
    }
  }
}

TEST_CASE("a bit that flips in a protected message is refused, or fails verification, or changes nothing") {
  Rng rng{3};
  for (int i = 0; i < 12; ++i) {
    const Integrity integrity = kKinds[static_cast<std::size_t>(i) % 2];
    Message m = random_message(rng);
    m.fill = std::min<std::size_t>(m.fill, 64);
    const std::size_t covered = encode(m, integrity, kKey, Fingerprint::without).size();
    const Buffer good = encode(m, integrity, kKey);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      Buffer bad = good;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      INFO("message " << i << " bit " << bit);
      const auto read = decode(bad);
      REQUIRE((!read || !read->fingerprint));
      // Outside FINGERPRINT, which integrity does not cover, not even the same message may come out.
      if (bit / 8 < covered) REQUIRE((!read || !verify(bad, integrity, kKey)));
      REQUIRE(harmless(bad, integrity, m));
    }
  }
}

TEST_CASE("a message that is cut is refused, even where its length was made to agree") {
  Rng rng{4};
  for (int i = 0; i < 100; ++i) {
    const Integrity integrity = kKinds[rng.below(2)];
    const Message m = random_message(rng);
    const Buffer whole = encode(m, integrity, kKey);
    for (std::size_t n = 0; n < whole.size(); ++n) REQUIRE_FALSE(decode(ByteView{whole}.first(n)));
    for (std::size_t n = 20; n < whole.size(); n += 4) {
      Buffer cut{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)};
      set_length(cut);
      REQUIRE(harmless(cut, integrity, m));
      // All that may be missing is the FINGERPRINT.
      if (n + 8 < whole.size()) REQUIRE_FALSE(verify(cut, integrity, kKey));
    }
    Buffer longer = whole;
    longer.push_back(0);
    REQUIRE_FALSE(decode(longer));
  }
}

TEST_CASE("what is put behind the integrity of a message counts for nothing") {
  Message m;
  m.username = "them:us";
  const std::string_view forged = "00240004 00000001 00030004 00000006 80220004 6576696c 00270004 00010000 00990000";
  for (const Integrity integrity : kKinds) {
    Buffer bytes = encode(m, integrity, kKey, Fingerprint::without);
    const Buffer more = from_spaced_hex(forged);
    bytes.insert(bytes.end(), more.begin(), more.end());
    set_length(bytes);
    const auto read = decode(bytes);
    REQUIRE(read);
    CHECK(verify(bytes, integrity, kKey));
    CHECK(read->message == m);
    CHECK_FALSE(read->response_port);
    CHECK(read->not_understood.empty());
  }
}

TEST_CASE("both integrity attributes: the stronger counts, and only in its order") {
  Message m;
  m.username = "them:us";
  const Buffer weak = encode(m, Integrity::sha1, kKey, Fingerprint::without);
  const Buffer strong = encode(m, Integrity::sha256, kKey, Fingerprint::without);
  const std::size_t base = weak.size() - 24;
  const auto behind = [&](Buffer first, const Buffer& second) {
    first.insert(first.end(), second.begin() + static_cast<std::ptrdiff_t>(base), second.end());
    set_length(first);
    return first;
  };
  const Buffer both = behind(weak, strong);
  CHECK(decode(both)->integrity == Integrity::sha256);
  CHECK(verify(both, Integrity::sha1, kKey));
  CHECK_FALSE(verify(both, Integrity::sha256, kKey));  // made for a message without the first
  const Buffer reversed = with_sha1(strong, kKey);
  CHECK(decode(reversed)->integrity == Integrity::sha256);
  CHECK(verify(reversed, Integrity::sha256, kKey));
  CHECK_FALSE(verify(reversed, Integrity::sha1, kKey));  // right, but it counts for nothing
  const Buffer twice = behind(weak, weak);
  CHECK(decode(twice)->integrity == Integrity::sha1);
  CHECK(verify(twice, Integrity::sha1, kKey));
}

TEST_CASE("who has no key verifies nothing") {
  const Buffer plain = encode(Message{}, Integrity::none, {}, Fingerprint::without);
  CHECK(verify(with_sha1(plain, kKey), Integrity::sha1, kKey));
  CHECK_FALSE(verify(with_sha1(plain, {}), Integrity::sha1, {}));
}
