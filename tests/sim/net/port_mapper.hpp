// PortMapper: the part of a router that makes port mappings when asked: NAT-PMP (RFC 6886) and PCP (RFC 6887) as
// datagrams to port 5351 of the gateway, UPnP IGD as calls, since its HTTP is a library's business in the daemon. It
// may be silent, refuse, or lie.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/net/nat.hpp"

namespace pw::net {

inline constexpr std::uint16_t kPortMappingPort = 5351;

enum class MapperLie : std::uint8_t {
  none,
  maps_nothing,        // says success, does nothing
  wrong_address,       // a public address that is not its own
  private_address,     // its outer address as seen by itself lies behind another NAT
  forgets,             // drops the mapping long before the lifetime that it granted
  wrong_port           // maps another port than it says
};
constexpr auto names(MapperLie) {
  using namespace std::string_view_literals;
  return std::array{"none"sv, "maps-nothing"sv, "wrong-address"sv, "private-address"sv, "forgets"sv, "wrong-port"sv};
}

struct PortMapperOptions {
  bool nat_pmp = false;  // answers; one that does not is silent, as if nothing listened
  bool pcp = false;
  bool upnp = false;
  bool refuses = false;  // answers "not authorised" to every request for a mapping
  MapperLie lie = MapperLie::none;
  Duration max_lifetime = 2h;
  std::size_t max_mappings_per_host = 16;
};

class PortMapper {
 public:
  explicit PortMapper(PortMapperOptions options);

  /// A datagram from inside to kPortMappingPort; the answer, if there is one. Without a NAT nothing is mapped (PCP
  /// answers with the inner address itself).
  std::optional<Buffer> answer(Instant now, const SocketAddress& from, ByteView request, NatBox* nat);

  // ---- UPnP IGD: errors carry its codes as text ("718 ConflictInMappingEntry")
  Result<IpAddress> external_address(NatBox* nat) const;
  /// lifetime 0: for good. The outer port is exactly the one that was asked for, or the call fails.
  Status add_mapping(Instant now, const IpAddress& host, std::uint16_t inner_port, std::uint16_t outer_port,
                     Protocol protocol, Duration lifetime, NatBox* nat);
  Status delete_mapping(Instant now, std::uint16_t outer_port, Protocol protocol, NatBox* nat);

  /// The router started anew: the epoch of both protocols begins again (RFC 6886 section 3.6, RFC 6887 section 8.5).
  void reboot(Instant now);
  const PortMapperOptions& options() const { return options_; }

 private:
  PortMapperOptions options_;
  Instant epoch_{};
};

}  // namespace pw::net
