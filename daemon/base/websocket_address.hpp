// Where a WebSocket over TLS is served, as a person writes it: "wss://relay.example/relay" (RFC 6455 section 3).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace pw {

struct WebSocketAddress {
  static constexpr std::uint16_t kDefaultPort = 443;
  static constexpr std::size_t kMaxPath = 256;

  std::string host;  // a name or an address, without brackets
  std::uint16_t port = kDefaultPort;
  std::string path = "/";

  /// No look-up. Only wss: a plain WebSocket is nothing that gets through where UDP does not.
  static Result<WebSocketAddress> parse(std::string_view text);
  std::string to_string() const;
  auto operator<=>(const WebSocketAddress&) const = default;
};

}  // namespace pw
