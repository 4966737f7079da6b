// What the tests of STUN share: bytes from text, and messages at random.
#pragma once

#include <algorithm>
#include <string_view>

#include "base/check.hpp"
#include "base/rng.hpp"
#include "wire/stun.hpp"

namespace pw::wire::stun {

/// Spaces and line ends don't count.
inline Buffer from_spaced_hex(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != ' ' && c != '\n'; });
  auto bytes = from_hex(digits);
  PW_CHECK(bytes.has_value());
  return *bytes;
}

inline std::string random_text(Rng& rng, std::size_t max_size) {
  std::string text;
  for (std::size_t n = rng.below(max_size + 1); n > 0; --n) text += static_cast<char>('a' + rng.below(26));
  return text;
}

inline SocketAddress random_address(Rng& rng) {
  std::array<std::uint8_t, 16> bytes{};
  rng.fill(bytes);
  const auto port = static_cast<std::uint16_t>(rng.next());
  if (rng.chance(0.5)) return {IpAddress::v6(bytes), port};
  return {IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), port};
}

/// What public servers and their clients say to one another.
inline Message random_public_message(Rng& rng) {
  Message m;
  m.kind = static_cast<Class>(rng.below(4));
  rng.fill(m.transaction);
  const auto maybe = [&] { return rng.chance(0.4); };
  if (maybe()) m.mapped = random_address(rng);
  if (maybe()) m.response_origin = random_address(rng);
  if (maybe()) m.other_address = random_address(rng);
  if (maybe()) m.change = ChangeRequest{rng.chance(0.5), rng.chance(0.5)};
  if (maybe()) m.software = "s" + random_text(rng, kMaxText - 1);
  if (m.kind == Class::error || maybe())
    m.error = ErrorCode{static_cast<int>(300 + rng.below(400)), random_text(rng, kMaxText)};
  if (maybe())
    for (std::size_t n = 1 + rng.below(kMaxTypes); n > 0; --n)
      m.unknown.push_back(static_cast<std::uint16_t>(rng.next()));
  return m;
}

inline Message random_message(Rng& rng) {
  Message m = random_public_message(rng);
  const auto maybe = [&] { return rng.chance(0.4); };
  const auto u32 = [&] { return static_cast<std::uint32_t>(rng.next()); };
  if (maybe()) m.method = static_cast<std::uint16_t>(rng.below(0x1000));
  if (maybe()) m.username = random_text(rng, kMaxUsername);
  if (maybe()) m.priority = u32();
  if (maybe()) m.probe = ProbeFrame{u32(), u32()};
  if (maybe()) m.receipt = ReceiptFrame{u32(), u32(), rng.next(), u32()};
  if (maybe()) m.fill = 4 * rng.below(300);
  return m;
}

}  // namespace pw::wire::stun
