// IP and socket addresses as values. Text forms: RFC 5952 for IPv6, brackets around it before a port (RFC 3986).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace pw {

enum class Family : std::uint8_t { v4, v6 };

class IpAddress {
 public:
  /// 0.0.0.0: "any" as a local address.
  constexpr IpAddress() = default;
  static constexpr IpAddress v4(std::array<std::uint8_t, 4> b) {
    IpAddress a;
    for (std::size_t i = 0; i < 4; ++i) a.bytes_[i] = b[i];
    return a;
  }
  static constexpr IpAddress v6(std::array<std::uint8_t, 16> b) {
    IpAddress a;
    a.family_ = Family::v6;
    a.bytes_ = b;
    return a;
  }
  static constexpr IpAddress any(Family f) { return f == Family::v4 ? IpAddress{} : v6({}); }
  /// A numeric address, without brackets or zone. No look-up.
  static Result<IpAddress> parse(std::string_view text);

  constexpr Family family() const { return family_; }
  /// 4 or 16 bytes, network order.
  ByteView bytes() const { return {bytes_.data(), family_ == Family::v4 ? 4U : 16U}; }
  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_link_local() const;
  std::string to_string() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::v4;
  std::array<std::uint8_t, 16> bytes_{};
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  /// "192.0.2.7:9470" or "[2001:db8::7]:9470". No look-up; a port is required.
  static Result<SocketAddress> parse(std::string_view text);
  std::string to_string() const;
  auto operator<=>(const SocketAddress&) const = default;
};

/// "host:port" where the host may be a name: what a person writes in `addresses`. Names are resolved by the driver.
struct HostPort {
  std::string host;  // without brackets
  std::uint16_t port = 0;
  static Result<HostPort> parse(std::string_view text);
  std::string to_string() const;
  auto operator<=>(const HostPort&) const = default;
};

/// What carries a packet. `own`: this node's UDP socket of the remote's family. Every other number belongs to something
/// that the core opened and named: a further socket (a birthday search, behaviour discovery), or a channel through a
/// relay. Numbers are not used again.
enum class Via : std::uint32_t { own = 0 };

/// Where a packet goes and comes from, seen from this node. A local address of `any` lets the kernel choose. Through a
/// relay there is no address: both are `any`.
struct PathAddress {
  IpAddress local;
  SocketAddress remote;
  Via via = Via::own;
  bool relayed() const { return via != Via::own && remote.port == 0; }
  auto operator<=>(const PathAddress&) const = default;
};

}  // namespace pw

template <>
struct std::hash<pw::IpAddress> {
  std::size_t operator()(const pw::IpAddress& a) const noexcept {
    std::size_t h = 1469598103934665603ULL;
    for (std::uint8_t b : a.bytes()) h = (h ^ b) * 1099511628211ULL;
    return h;
  }
};
template <>
struct std::hash<pw::SocketAddress> {
  std::size_t operator()(const pw::SocketAddress& a) const noexcept {
    return (std::hash<pw::IpAddress>{}(a.ip) ^ a.port) * 1099511628211ULL;
  }
};
