#include "base/peer_id.hpp"

namespace pw {
namespace {
constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
}

Result<PeerId> PeerId::parse(std::string_view text) {
  if (text.size() != kTextSize)
    return fail("a peer id has " + std::to_string(kTextSize) + " characters, this has " + std::to_string(text.size()));
  std::array<std::uint8_t, kSize> key{};
  std::uint32_t bits = 0;
  int have = 0;
  std::size_t out = 0;
  for (char c : text) {
    const auto value = kAlphabet.find(c);
    if (value == std::string_view::npos)
      return fail("a peer id is written with a-z and 2-7 only" + std::string{c >= 'A' && c <= 'Z' ? " (lower case)" : ""});
    bits = bits << 5 | static_cast<std::uint32_t>(value);
    have += 5;
    if (have >= 8 && out < kSize) {
      have -= 8;
      key[out++] = static_cast<std::uint8_t>(bits >> have);
    }
  }
  if ((bits & ((1U << have) - 1)) != 0) return fail("this is not a peer id: its last character is wrong");
  return PeerId{key};
}

std::string PeerId::to_string() const {
  std::string out;
  out.reserve(kTextSize);
  std::uint32_t bits = 0;
  int have = 0;
  for (std::uint8_t b : key_) {
    bits = bits << 8 | b;
    have += 8;
    while (have >= 5) {
      have -= 5;
      out += kAlphabet[bits >> have & 31];
    }
  }
  out += kAlphabet[bits << (5 - have) & 31];
  return out;
}

}  // namespace pw
