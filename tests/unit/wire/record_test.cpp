#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "wire/record.hpp"

using namespace pw;
using namespace pw::wire;

namespace {

/// RFC 8032 section 7.1, TEST 1 signs nothing at all with this key.
PeerId test_key() {
  std::array<std::uint8_t, 32> key{};
  std::ranges::copy(*from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), key.begin());
  return PeerId{key};
}

PeerRecord unsigned_record() {
  PeerRecord r;
  r.id = test_key();
  r.sequence = 5;
  r.lifetime_s = 600;
  r.relays = {PeerId{{1}}, PeerId{{2}}};
  return r;
}

std::string error_of(ByteView bytes) {
  const auto record = decode_record(bytes);
  return record ? "" : record.error().detail;
}

}  // namespace

TEST_CASE("a signature is judged as RFC 8032 says") {
  Signature signature{};
  std::ranges::copy(*from_hex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                              "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
                    signature.begin());
  CHECK(verify_signature(test_key(), {}, signature));
  CHECK_FALSE(verify_signature(test_key(), as_bytes("x"), signature));
  CHECK_FALSE(verify_signature(PeerId{{1}}, {}, signature));
  signature[40] ^= 1;
  CHECK_FALSE(verify_signature(test_key(), {}, signature));
  std::array<std::uint8_t, 32> no_point{};
  no_point.fill(0xff);
  CHECK_FALSE(verify_signature(PeerId{no_point}, {}, signature));
}

TEST_CASE("a record that nobody signed is refused, whatever else is right") {
  CHECK(error_of(encode(unsigned_record())) == "the signature is not its peer's");
}

TEST_CASE("what is not canonical is refused before the signature is looked at") {
  const Buffer good = encode(unsigned_record());
  CHECK(error_of({}) == "a record of an unknown version");
  for (std::size_t size = 1; size < good.size(); ++size) CHECK_FALSE(decode_record(ByteView{good}.first(size)));
  Buffer longer = good;
  longer.push_back(0);
  CHECK(error_of(longer) == "a record of a wrong length");
  PeerRecord r = unsigned_record();
  std::ranges::reverse(r.relays);
  CHECK(error_of(encode(r)) == "the relays of a record ascend");
  r.relays = {PeerId{{1}}, PeerId{{1}}};
  CHECK(error_of(encode(r)) == "the relays of a record ascend");
  r.relays.assign(5, PeerId{{1}});
  CHECK(error_of(encode(r)) == "a record names at most 4 relays");
  r = unsigned_record();
  r.lifetime_s = 0;
  CHECK(error_of(encode(r)) == "a record lives 1 s to 24 h");
  r.lifetime_s = kMaxRecordLifetime + 1;
  CHECK(error_of(encode(r)) == "a record lives 1 s to 24 h");
}

TEST_CASE("a record is its peer's, in time, and never older than the newest") {
  const PeerRecord r = unsigned_record();
  CHECK(judge(r, r.id, 0, 0) == RecordVerdict::good);
  CHECK(judge(r, r.id, 599, 5) == RecordVerdict::good);
  CHECK(judge(r, r.id, 600, 5) == RecordVerdict::expired);
  CHECK(judge(r, r.id, 0, 6) == RecordVerdict::older);
  CHECK(judge(r, PeerId{{9}}, 0, 0) == RecordVerdict::wrong_id);
}
