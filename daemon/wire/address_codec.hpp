// How an address stands in messages: `bytes ip` of 4 or 16 bytes and `uint32 port`, whichever the schema.
#pragma once

#include <algorithm>
#include <array>
#include <string>

#include "base/address.hpp"
#include "base/result.hpp"

namespace pw::wire {

template <class Message>
void put_address(Message& out, const SocketAddress& address) {
  out.set_ip(std::string{as_text(address.ip.bytes())});
  out.set_port(address.port);
}

template <class Message>
Result<SocketAddress> address_of(const Message& p) {
  if (p.port() > 0xffff) return fail("a port has 16 bits");
  SocketAddress out;
  out.port = static_cast<std::uint16_t>(p.port());
  const ByteView ip = as_bytes(p.ip());
  if (ip.size() == 4) {
    std::array<std::uint8_t, 4> bytes{};
    std::ranges::copy(ip, bytes.begin());
    out.ip = IpAddress::v4(bytes);
  } else if (ip.size() == 16) {
    std::array<std::uint8_t, 16> bytes{};
    std::ranges::copy(ip, bytes.begin());
    out.ip = IpAddress::v6(bytes);
  } else {
    return fail("an IP address has 4 or 16 bytes");
  }
  return out;
}

}  // namespace pw::wire
