#include "quic/identity.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "base/digest.hpp"

namespace pw::quic {
namespace {

Identity::Seed seed_of(std::string_view hex) {
  const Buffer bytes = from_hex(hex).value();
  Identity::Seed seed{};
  std::ranges::copy(bytes, seed.begin());
  return seed;
}

}  // namespace

TEST_CASE("the public key follows from the seed as RFC 8032 section 7.1 has it") {
  const auto one = Identity::from_seed(seed_of("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  REQUIRE(one);
  CHECK(to_hex(one->id().key()) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const auto two = Identity::from_seed(seed_of("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  REQUIRE(two);
  CHECK(to_hex(two->id().key()) == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
}

TEST_CASE("digests are those of FIPS 180-4 and RFC 4231") {
  CHECK(to_hex(sha256(as_bytes("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(to_hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("secrets are equal or not, whatever their sizes") {
  CHECK(equal_secret(as_bytes("same"), as_bytes("same")));
  CHECK(equal_secret({}, {}));
  CHECK_FALSE(equal_secret(as_bytes("same"), as_bytes("sama")));
  CHECK_FALSE(equal_secret(as_bytes("same"), as_bytes("sam")));
}

TEST_CASE("an identity signs with the key that it is known by") {
  const Identity a = Identity::from_seed({1}).value(), b = Identity::from_seed({2}).value();
  const Signature signature = a.sign(as_bytes("something"));
  CHECK(verify_signature(a.id(), as_bytes("something"), signature));
  CHECK_FALSE(verify_signature(b.id(), as_bytes("something"), signature));
  CHECK_FALSE(verify_signature(a.id(), as_bytes("something else"), signature));
}

}  // namespace pw::quic
