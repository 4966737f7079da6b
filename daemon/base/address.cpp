#include "base/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace pw {
namespace {

Result<std::uint16_t> parse_port(std::string_view text, std::string_view whole) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || port == 0 || port > 65535)
    return fail("\"" + std::string{whole} + "\": the port must be a number from 1 to 65535");
  return static_cast<std::uint16_t>(port);
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (text.size() < sizeof buffer && text.find('\0') == std::string_view::npos) {  // inet_pton would stop there
    std::memcpy(buffer, text.data(), text.size());
    std::array<std::uint8_t, 16> six{};
    std::array<std::uint8_t, 4> four{};
    if (inet_pton(AF_INET, buffer, four.data()) == 1) return v4(four);
    if (inet_pton(AF_INET6, buffer, six.data()) == 1) return v6(six);
  }
  return fail("\"" + std::string{text} + "\" is not an IP address");
}

bool IpAddress::is_unspecified() const {
  return std::ranges::all_of(bytes(), [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_loopback() const {
  if (family_ == Family::v4) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t b) { return b == 0; }) && bytes_[15] == 1;
}

bool IpAddress::is_multicast() const {
  return family_ == Family::v4 ? (bytes_[0] & 0xf0) == 0xe0 || bytes_[0] == 255 : bytes_[0] == 0xff;
}

bool IpAddress::is_link_local() const {
  return family_ == Family::v4 ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

std::string IpAddress::to_string() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(family_ == Family::v4 ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof buffer);
  return buffer;
}

Result<HostPort> HostPort::parse(std::string_view text) {
  const std::string whole{text};
  std::string_view host;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || text.substr(close + 1, 1) != ":")
      return fail("\"" + whole + "\": write an IPv6 address as [address]:port");
    host = text.substr(1, close - 1);
    port = text.substr(close + 2);
    if (auto ip = IpAddress::parse(host); !ip || ip->family() != Family::v6)
      return fail("\"" + whole + "\": there is no IPv6 address between the brackets");
  } else {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return fail("\"" + whole + "\": the port is missing (write host:port)");
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.find(':') != std::string_view::npos)
      return fail("\"" + whole + "\": write an IPv6 address as [address]:port");
  }
  if (host.empty()) return fail("\"" + whole + "\": the host is missing (write host:port)");
  if (host.size() > 253) return fail("\"" + whole + "\": a host name has at most 253 characters");
  const auto bad = std::ranges::find_if(host, [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
             c == '_' || c == ':');
  });
  if (bad != host.end()) return fail("\"" + whole + "\": a host name has only letters, digits, '-', '_' and '.'");
  auto number = parse_port(port, text);
  if (!number) return tl::unexpected(number.error());
  return HostPort{std::string{host}, *number};
}

std::string HostPort::to_string() const {
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  auto parts = HostPort::parse(text);
  if (!parts) return tl::unexpected(parts.error());
  auto ip = IpAddress::parse(parts->host);
  if (!ip) return tl::unexpected(ip.error());
  return SocketAddress{*ip, parts->port};
}

std::string SocketAddress::to_string() const { return HostPort{ip.to_string(), port}.to_string(); }

}  // namespace pw
