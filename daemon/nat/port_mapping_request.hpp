// What port mapping asks of the driver: UPnP IGD, which is HTTP and blocks, so that a library does it elsewhere.
#pragma once

#include <cstdint>
#include <variant>

#include "base/address.hpp"
#include "base/time.hpp"

namespace pw::nat {

/// Ask the IGD at that gateway for a mapping to `own`. Answered by handle_upnp, always, whatever the outcome; one at a
/// time is under way.
struct UpnpMap {
  std::uint64_t id = 0;
  IpAddress gateway;
  SocketAddress own;
  std::uint16_t wanted_port = 0;  // outer
  Duration lifetime{};
};
/// Not answered.
struct UpnpUnmap {
  IpAddress gateway;
  std::uint16_t outer_port = 0;
};
using MappingRequest = std::variant<UpnpMap, UpnpUnmap>;

struct UpnpResult {
  std::uint64_t id = 0;
  /// 0: done. Above: a code of UPnP (WANIPConnection:2, section 2.5). Below: kUpnpNoGateway, or anything else failed.
  int code = 0;
  SocketAddress external;
  Duration lifetime{};  // 0: for good, or unknown
};
inline constexpr int kUpnpNoGateway = -1;

}  // namespace pw::nat
