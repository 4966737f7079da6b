// Between our addresses and the kernel's. IPv6 zones are not carried: a link-local address is of no use to a mesh.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/address.hpp"

namespace pw::io {

/// Fills `out` and returns the length that bind and sendmsg want.
socklen_t to_sockaddr(const SocketAddress& address, sockaddr_storage& out);
/// Anything but AF_INET and AF_INET6 gives 0.0.0.0:0.
SocketAddress from_sockaddr(const sockaddr_storage& in);

in_addr to_in_addr(const IpAddress& ip);    // ip is IPv4
in6_addr to_in6_addr(const IpAddress& ip);  // ip is IPv6
IpAddress from_in_addr(const in_addr& in);
IpAddress from_in6_addr(const in6_addr& in);

inline int domain_of(Family family) { return family == Family::v4 ? AF_INET : AF_INET6; }

}  // namespace pw::io
