#include "io/sockaddr.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstring>

namespace pw::io {

in_addr to_in_addr(const IpAddress& ip) {
  in_addr out{};
  std::memcpy(&out, ip.bytes().data(), sizeof out);
  return out;
}

in6_addr to_in6_addr(const IpAddress& ip) {
  in6_addr out{};
  std::memcpy(&out, ip.bytes().data(), sizeof out);
  return out;
}

IpAddress from_in_addr(const in_addr& in) {
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), &in, bytes.size());
  return IpAddress::v4(bytes);
}

IpAddress from_in6_addr(const in6_addr& in) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &in, bytes.size());
  return IpAddress::v6(bytes);
}

socklen_t to_sockaddr(const SocketAddress& address, sockaddr_storage& out) {
  out = {};
  if (address.ip.family() == Family::v4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    v4.sin_addr = to_in_addr(address.ip);
    std::memcpy(&out, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  v6.sin6_addr = to_in6_addr(address.ip);
  std::memcpy(&out, &v6, sizeof v6);
  return sizeof v6;
}

SocketAddress from_sockaddr(const sockaddr_storage& in) {
  if (in.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &in, sizeof v4);
    return {from_in_addr(v4.sin_addr), ntohs(v4.sin_port)};
  }
  if (in.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &in, sizeof v6);
    return {from_in6_addr(v6.sin6_addr), ntohs(v6.sin6_port)};
  }
  return {};
}

}  // namespace pw::io
