// PortMapper: the part of a router that makes port mappings when asked: NAT-PMP (RFC 6886) and PCP (RFC 6887) as
// datagrams to port 5351 of the gateway, UPnP IGD as calls, since its HTTP is a library's business in the daemon. It
// may be silent, refuse, or lie. Static mappings of a NatBox lie below; one inner endpoint has one, whichever protocol
// made it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "sim/net/nat.hpp"

namespace pw::net {

inline constexpr std::uint16_t kPortMappingPort = 5351;

enum class MapperLie : std::uint8_t {
  none,
  maps_nothing,        // says success, does nothing
  wrong_address,       // a public address that is not its own: 11.255.255.254, which nobody should have
  private_address,     // its outer address as seen by itself lies behind another NAT: 10.254.254.254
  forgets,             // drops the mapping after an eighth of the lifetime that it granted
  wrong_port           // maps the port above the one that it says
};
constexpr auto names(MapperLie) {
  using namespace std::string_view_literals;
  return std::array{"none"sv, "maps-nothing"sv, "wrong-address"sv, "private-address"sv, "forgets"sv, "wrong-port"sv};
}

struct PortMapperOptions {
  bool nat_pmp = false;  // answers; one that does not is silent, as if nothing listened
  bool pcp = false;
  bool upnp = false;
  bool refuses = false;  // answers "not authorised" to every request for a mapping, and still tells its address
  MapperLie lie = MapperLie::none;
  Duration max_lifetime = 2h;  // of NAT-PMP and PCP; UPnP cannot tell of less than was asked for
  std::size_t max_mappings_per_host = 16;
};

class PortMapper {
 public:
  explicit PortMapper(PortMapperOptions options);

  /// A datagram from inside to kPortMappingPort; the answer, if there is one. Without a NAT, or for IPv6, nothing is
  /// mapped (PCP answers with the inner address itself, NAT-PMP with "network failure"). NAT-PMP: external address, map,
  /// delete. PCP: ANNOUNCE and MAP with PREFER_FAILURE; PEER, THIRD_PARTY and FILTER are not supported.
  std::optional<Buffer> answer(Instant now, const SocketAddress& from, ByteView request, NatBox* nat);

  // ---- UPnP IGD: errors carry its codes as text ("718 ConflictInMappingEntry")
  Result<IpAddress> external_address(NatBox* nat) const;
  /// lifetime 0: for good. The outer port is exactly the one that was asked for, or the call fails.
  Status add_mapping(Instant now, const IpAddress& host, std::uint16_t inner_port, std::uint16_t outer_port,
                     Protocol protocol, Duration lifetime, NatBox* nat);
  Status delete_mapping(Instant now, std::uint16_t outer_port, Protocol protocol, NatBox* nat);

  /// The router started anew or has another outer address: nothing is mapped any more, and the epoch of both protocols
  /// begins again (RFC 6886 section 3.6, RFC 6887 section 8.5).
  void reboot(Instant now);
  const PortMapperOptions& options() const { return options_; }

 private:
  using Nonce = std::array<std::uint8_t, 12>;
  struct Lease {
    std::uint16_t port = 0;      // the outer one, as it was told
    std::optional<Nonce> nonce;  // of PCP
    Instant expires{};
  };
  using Key = std::pair<SocketAddress, Protocol>;  // inner endpoint
  struct Wish {
    SocketAddress inner;
    Protocol protocol = Protocol::udp;
    std::uint16_t port = 0;  // outer; 0: any
    bool exact = false;
    Duration lifetime{};  // Duration::max(): for good
    std::optional<Nonce> nonce;
  };
  enum class Outcome : std::uint8_t { granted, refused, quota, no_room, other_port };
  struct Grant {
    Outcome outcome = Outcome::refused;
    SocketAddress told;  // with granted
  };

  Grant grant(Instant now, const Wish& wish, NatBox* nat);
  void release(const Key& key, NatBox* nat);
  void forget_expired(Instant now);
  Lease* find(Instant now, const Key& key);
  IpAddress told_address(const NatBox& nat) const;
  std::uint32_t epoch(Instant now) const;

  // NAT-PMP (nat_pmp.cpp)
  std::optional<Buffer> answer_nat_pmp(Instant now, const IpAddress& from, ByteView request, NatBox* nat);
  Buffer map_nat_pmp(Instant now, const IpAddress& from, ByteView request, NatBox* nat);
  // PCP (port_mapper_pcp.cpp)
  Buffer answer_pcp(Instant now, const IpAddress& from, ByteView request, NatBox* nat);
  Buffer map_pcp(Instant now, const IpAddress& from, ByteView request, NatBox* nat);
  Buffer refuse_pcp(Instant now, ByteView request, std::uint8_t result) const;

  PortMapperOptions options_;
  Instant epoch_{};
  std::map<Key, Lease> leases_;
};

}  // namespace pw::net
