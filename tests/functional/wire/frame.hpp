// Ethernet frames, as a host's cable has them, to packets of the simulated internet and back. Bytes come from real
// kernels and from whoever runs on them: nothing is taken for granted, and nothing is read that is not there.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/names.hpp"
#include "base/result.hpp"
#include "sim/net/packet.hpp"

namespace pw::lab {

using Mac = std::array<std::uint8_t, 6>;
inline constexpr Mac kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

inline constexpr std::size_t kEthernetHeader = 14;
inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherArp = 0x0806;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd;

inline constexpr std::uint8_t kIpIcmp = 1;
inline constexpr std::uint8_t kIpTcp = 6;
inline constexpr std::uint8_t kIpUdp = 17;
inline constexpr std::uint8_t kIpIcmp6 = 58;

struct Ethernet {
  Mac destination;
  Mac source;
  std::uint16_t type;
  ByteView payload;
};

/// Why a frame did not become a packet.
enum class Unusable : std::uint8_t {
  truncated,   // shorter than its headers say, or longer than we took
  not_ip,      // another EtherType
  malformed,   // a header contradicts itself, or the IPv4 header's checksum is wrong
  fragment,    // the internet of the simulator has whole packets only
  options,     // IPv4 options or IPv6 extension headers
  protocol,    // neither UDP nor TCP nor an echo
  multicast    // or broadcast: nobody to hand it to
};
constexpr auto names(Unusable) {
  using namespace std::string_view_literals;
  return std::array{"truncated"sv, "not_ip"sv, "malformed"sv, "fragment"sv, "options"sv, "protocol"sv, "multicast"sv};
}

Result<Ethernet, Unusable> read_ethernet(ByteView frame);

/// What an Ethernet frame of that type carries. Checksums of the transport are not looked at: a kernel leaves them to
/// hardware that a virtual cable does not have, and write_frame makes new ones.
Result<net::Packet, Unusable> read_packet(std::uint16_t type, ByteView ip);

/// A whole frame into `out`, with ports, TTL and checksums as the packet has them. False, and `out` empty, for one that
/// has no form on a wire: of mixed families, too long for IP, a segment or message shorter than its header.
/// `identification` is for IPv4, which may be fragmented nowhere (DF).
[[nodiscard]] bool write_frame(const net::Packet& packet, const Mac& from, const Mac& to, std::uint16_t identification,
                               Buffer& out);

}  // namespace pw::lab
