#include "base/peer_id.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"

namespace pw {
namespace {

PeerId random_id(Rng& rng) {
  std::array<std::uint8_t, PeerId::kSize> key{};
  rng.fill(key);
  return PeerId{key};
}

TEST_CASE("the text is RFC 4648's base32, lower case, unpadded") {
  std::array<std::uint8_t, PeerId::kSize> key{};
  const std::string_view foobar = "foobar";  // RFC 4648 section 10: MZXW6YTBOI======
  std::copy(foobar.begin(), foobar.end(), key.begin());
  CHECK(PeerId{key}.to_string() == "mzxw6ytboi" + std::string(42, 'a'));
  CHECK(PeerId{}.to_string() == std::string(52, 'a'));
  key.fill(0xff);
  CHECK(PeerId{key}.to_string() == std::string(51, '7') + "q");
  CHECK(PeerId{key}.to_short() == std::string(10, '7'));
}

TEST_CASE("an id is read back the same") {
  Rng rng{1};
  for (int i = 0; i < 2000; ++i) {
    const PeerId id = random_id(rng);
    CHECK(PeerId::parse(id.to_string()) == id);
  }
}

TEST_CASE("a key has one text only: no other last character stands for it") {
  Rng rng{2};
  const std::string text = random_id(rng).to_string();
  int accepted = 0;
  for (const char last : std::string_view{"abcdefghijklmnopqrstuvwxyz234567"}) {
    const auto parsed = PeerId::parse(text.substr(0, 51) + last);
    if (!parsed) {
      CHECK(parsed.error().detail == "this is not a peer id: its last character is wrong");
      continue;
    }
    ++accepted;
    CHECK(parsed->to_string().back() == last);
  }
  CHECK(accepted == 2);  // one bit of the last character belongs to the key: 256 = 51 · 5 + 1
}

TEST_CASE("what is no id is refused, and the reason said") {
  const std::string good(52, 'a');
  CHECK(PeerId::parse(good));
  CHECK(PeerId::parse(good + "a").error().detail == "a peer id has 52 characters, this has 53");
  CHECK(PeerId::parse("").error().detail == "a peer id has 52 characters, this has 0");
  CHECK(PeerId::parse("A" + good.substr(1)).error().detail ==
        "a peer id is written with a-z and 2-7 only (lower case)");
  for (const char bad : {'0', '1', '8', '=', ' ', '\0', '\xff'})
    CHECK(PeerId::parse(good.substr(1) + bad).error().detail == "a peer id is written with a-z and 2-7 only");
}

TEST_CASE("ids order by key, not by text") {
  Rng rng{3};
  for (int i = 0; i < 500; ++i) {
    const PeerId a = random_id(rng);
    const PeerId b = random_id(rng);
    // '2'…'7' sort before 'a' in ASCII but stand for larger values: only the key's order counts.
    CHECK((a < b) == (a.key() < b.key()));
  }
}

}  // namespace
}  // namespace pw
