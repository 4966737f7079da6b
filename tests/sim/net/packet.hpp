// Packet: one IP packet of the simulated internet, and why one that was sent never arrived.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/names.hpp"

namespace pw::net {

/// `icmp`: echo only, of either family; its identifier stands for a port as RFC 5508 section 3 has it: a request's source
/// port, a reply's destination port, 0 on the other side.
enum class Protocol : std::uint8_t { udp, tcp, icmp };

inline constexpr std::uint8_t kDefaultTtl = 64;

/// Packet::origin of what no machine sent: an answer of a router, or injected bytes.
inline constexpr std::size_t kNoMachine = static_cast<std::size_t>(-1);

/// `id` and `origin` are the truth about it: translation and duplication keep them, a forged source does not touch them.
struct Packet {
  std::uint64_t id = 0;             // unique a Net, given at the machine that sent it; 0 before
  std::size_t origin = kNoMachine;  // index of that machine
  Protocol protocol = Protocol::udp;
  std::uint8_t ttl = kDefaultTtl;  // IPv6: hop limit
  SocketAddress source;
  SocketAddress destination;
  Buffer payload;  // of UDP; for TCP the segment with its header, for ICMP the message with its header

  /// On the wire: with the IP header (20 or 40 bytes) and, for UDP, its 8 bytes.
  std::size_t size() const {
    return payload.size() + (source.ip.family() == Family::v4 ? 20U : 40U) + (protocol == Protocol::udp ? 8U : 0U);
  }
};

/// Where the way of a packet ended.
enum class Drop : std::uint8_t {
  no_address,      // the sender does not have the source address (any more)
  interface_down,  // the sender's or the receiver's
  link_down,
  lost,        // drawn
  queue_full,  // a rate-limited link's
  too_big,     // for the link's MTU: silently, as a path with a black hole for large packets
  no_route,    // nobody has the address, or the router in front of it is down
  ttl,         // reached 0 at a router
  no_mapping,       // NAT: inbound to a port that nothing is mapped to
  filtered,         // NAT or stateful firewall: mapped, but not for this sender
  table_full,       // NAT: no room for another mapping
  ports_exhausted,  // NAT: no outer port left
  no_hairpin,       // NAT: from inside to an outer address of its own
  blocked,          // firewall rule
  throttled,        // firewall rate limit
  machine_down,     // crashed, asleep
  receive_buffer,   // the socket's buffer is full: its program is too slow
  no_listener       // no socket on that port
};
constexpr auto names(Drop) {
  using namespace std::string_view_literals;
  return std::array{"no_address"sv,   "interface_down"sv, "link_down"sv,       "lost"sv,       "queue_full"sv,
                    "too_big"sv,      "no_route"sv,       "ttl"sv,             "no_mapping"sv, "filtered"sv,
                    "table_full"sv,   "ports_exhausted"sv, "no_hairpin"sv,     "blocked"sv,    "throttled"sv,
                    "machine_down"sv, "receive_buffer"sv, "no_listener"sv};
}

}  // namespace pw::net
