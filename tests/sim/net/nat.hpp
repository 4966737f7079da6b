// NatBox: network address and port translation in the terms of RFC 4787 (UDP), each behaviour an axis of its own; TCP
// mappings (RFC 5382) follow the same axes with their own time-out. A pure state machine: packets in, verdicts out.
// IPv6 passes untranslated. `now` never runs backwards.
//
// What it keeps, all of it bounded, each with a deadline, and every packet O(1) whatever the tables hold:
//   mapping   inner endpoint (and remote address, and port: RFC 4787 section 4.1) to outer endpoint, which is its own:
//             no port of an address is ever shared (REQ-3). Ends `timeout` after the last packet that refreshed it.
//   flow      inner endpoint and remote to the mapping that carries it. Filtering asks whether this mapping has sent to
//             this remote (or address) within the last `timeout`, not ever: as a kernel that tracks connections, where
//             each path must be kept alive by its own packets even though the mapping lives on others.
//   tracked   remote and outer endpoint that belong to the router itself (input_accepts). While it lasts, packets of
//             that tuple reach nobody inside, and a flow from inside to that remote begins on another mapping, an older
//             one or a new one of another port. Flows that begin later, to whatever remote, follow the newest mapping;
//             those under way stay where they are.
//   static    what map() made. Its outer address is the first of the pool. Open to everybody (EIF). It carries packets
//             outward only to a remote that sent through it before, within `timeout` (refreshed both ways) and if no
//             flow to that remote was under way on another mapping. What the inner endpoint sends first leaves by a
//             dynamic mapping, that is from another port. Except in its natural place, the inner port preserved by
//             an endpoint-independent NAT: there it takes over what the dynamic mapping had, and carries everything.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "sim/net/packet.hpp"

namespace pw::net {

/// RFC 4787 section 4.1 (mapping) and section 5 (filtering).
enum class Dependence : std::uint8_t { endpoint_independent, address_dependent, address_and_port_dependent };
constexpr auto names(Dependence) {
  using namespace std::string_view_literals;
  return std::array{"endpoint-independent"sv, "address-dependent"sv, "address-and-port-dependent"sv};
}

/// RFC 4787 section 4.2.1. `preserving`: the inner port if it is free, else the next free one above it (never
/// overloading). `sequential`: `step` from the last one given for that outer address and protocol; if that is taken, the
/// next free one in the direction of the step. `random`: any free one.
enum class PortAllocation : std::uint8_t { preserving, sequential, random };
constexpr auto names(PortAllocation) {
  using namespace std::string_view_literals;
  return std::array{"preserving"sv, "sequential"sv, "random"sv};
}

/// RFC 4787 section 4.1: does one inner address always get the same outer address of the pool? If so, it gets no other
/// when the ports of that one are exhausted.
enum class Pooling : std::uint8_t { paired, arbitrary };
constexpr auto names(Pooling) {
  using namespace std::string_view_literals;
  return std::array{"paired"sv, "arbitrary"sv};
}

/// RFC 4787 section 6. What the receiver sees as source: the outer mapping (REQ-9a) or, wrongly, the inner address.
enum class Hairpin : std::uint8_t { none, external_source, internal_source };
constexpr auto names(Hairpin) {
  using namespace std::string_view_literals;
  return std::array{"none"sv, "external-source"sv, "internal-source"sv};
}

struct NatOptions {
  Dependence mapping = Dependence::endpoint_independent;             // REQ-1 wants this
  Dependence filtering = Dependence::address_and_port_dependent;     // REQ-8 recommends EIF or ADF
  PortAllocation ports = PortAllocation::preserving;
  int step = 1;  // sequential: added each time, not 0, negative counts down; wraps inside [first_port, last_port]
  std::uint16_t first_port = 1024;
  std::uint16_t last_port = 65535;
  Pooling pooling = Pooling::paired;                                 // REQ-2
  Hairpin hairpin = Hairpin::external_source;                        // REQ-9
  Duration timeout = 120s;                                           // REQ-5: not below 2 min; many are
  bool inbound_refreshes = false;                                    // REQ-6: outbound must, inbound may
  Duration tcp_timeout = 2h + 4min;                                  // RFC 5382 REQ-5
  std::size_t max_mappings = 65536;                                  // of both protocols, static ones included
  /// As a Linux router whose INPUT chain accepts: an inbound packet that belongs to nothing is tracked (udp 30 s), and
  /// an inside flow to that very remote cannot have the port it aimed at: it gets another one, a random one where ports
  /// are preserved, and what begins later has that one too. So it was seen on Linux 6.
  bool input_accepts = false;
  Duration input_tracking = 30s;
};

class NatBox {
 public:
  /// `outer`: the pool, IPv4, at least one.
  NatBox(NatOptions options, std::vector<IpAddress> outer, Rng rng);
  ~NatBox();
  NatBox(NatBox&&) noexcept;

  enum class Way : std::uint8_t { out, in, drop };
  struct Verdict {
    Way way = Way::drop;
    Drop reason = Drop::no_mapping;  // with drop
  };
  /// From inside to anywhere. Translates the packet in place. `out`: to the outer side; `in`: hairpinned, back inside.
  Verdict from_inside(Instant now, Packet& packet);
  /// From outside to an outer address. `in` or drop.
  Verdict from_outside(Instant now, Packet& packet);

  // ---- static mappings: what a port-mapping protocol made
  /// Maps an outer port (`wanted` if it is free, else another; 0: any) to `inner`, for everybody, until `expires`.
  /// Fails when there is no room. The same inner endpoint again refreshes its mapping.
  Result<SocketAddress> map(Instant now, const SocketAddress& inner, Protocol protocol, std::uint16_t wanted,
                            Instant expires);
  void unmap(const SocketAddress& inner, Protocol protocol);

  // ---- what befalls it
  /// Forgets every mapping, static ones included; allocation starts anew (a random allocator elsewhere).
  void reboot();
  /// Mappings are forgotten: their outer address is gone.
  void change_addresses(std::vector<IpAddress> outer);

  // ---- truth
  const NatOptions& options() const;
  const std::vector<IpAddress>& addresses() const;
  /// Dynamic and static mappings that have not expired.
  std::size_t mappings(Instant now) const;
  /// Where UDP packets from `inner` to `remote` would leave now, if such a mapping exists.
  std::optional<SocketAddress> outer_of(Instant now, const SocketAddress& inner, const SocketAddress& remote) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The requirements of RFC 4787 (what it recommends included) that a NAT with these options breaks, as "REQ-5: …", in
/// their order; empty for one that behaves. REQ-4, 7, 10 and 12 to 14 are about what is not modelled: parity of ports,
/// addresses in conflict, application gateways, ICMP, fragments.
std::vector<std::string> broken_requirements(const NatOptions& options, std::size_t pool);

}  // namespace pw::net
