// PeerId: a node's Ed25519 public key. In text 52 characters of lower-case base32 without padding (RFC 4648).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace pw {

class PeerId {
 public:
  static constexpr std::size_t kSize = 32;
  static constexpr std::size_t kTextSize = 52;
  static constexpr std::size_t kShortSize = 10;  // characters, of what people and metrics see by default

  constexpr PeerId() = default;
  explicit constexpr PeerId(std::array<std::uint8_t, kSize> key) : key_{key} {}
  /// Exactly 52 characters a-z2-7; the four bits past the key must be zero, so that a key has one text only.
  static Result<PeerId> parse(std::string_view text);

  const std::array<std::uint8_t, kSize>& key() const { return key_; }
  std::string to_string() const;
  std::string to_short() const { return to_string().substr(0, kShortSize); }

  auto operator<=>(const PeerId&) const = default;

 private:
  std::array<std::uint8_t, kSize> key_{};
};

}  // namespace pw

template <>
struct std::hash<pw::PeerId> {
  /// A key is uniformly distributed already; an adversary who grinds keys meets tables of bounded size only.
  std::size_t operator()(const pw::PeerId& id) const noexcept {
    std::size_t h = 0;
    std::memcpy(&h, id.key().data() + 8, sizeof h);
    return h;
  }
};
