// Firewall: what a router lets through, apart from translation: UDP blocked, UDP to some ports only, UDP throttled,
// nothing inbound that was not asked for. A pure state machine, for both families, O(1) a packet. `now` never runs
// backwards.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <variant>

#include "base/time.hpp"
#include "base/token_bucket.hpp"
#include "sim/net/aging_table.hpp"
#include "sim/net/packet.hpp"

namespace pw::net {

struct FirewallOptions {
  bool stateful = false;       // inbound only what belongs to a flow that began inside (address- and port-dependent)
  Duration timeout = 30s;      // of such a flow, refreshed both ways
  std::size_t max_flows = 65536;
  bool udp_blocked = false;    // both ways
  bool tcp_blocked = false;
  std::set<std::uint16_t> udp_ports;  // outbound UDP to these destination ports only; empty: all
  double udp_rate = 0;         // bytes of UDP packets a second each way, 0: unlimited. Burst: a tenth of a second, at least 1500
};

class Firewall {
 public:
  explicit Firewall(FirewallOptions options);

  /// What stands against it, if anything does: blocked, filtered, throttled or table_full, judged in the order blocked,
  /// filtered or table_full, throttled. A packet that does not pass neither makes a flow nor keeps one.
  std::optional<Drop> from_inside(Instant now, const Packet& packet);
  std::optional<Drop> from_outside(Instant now, const Packet& packet);
  void reboot();
  /// Somebody changes its rules.
  void block_udp(bool blocked) { options_.udp_blocked = blocked; }
  void block_tcp(bool blocked) { options_.tcp_blocked = blocked; }
  const FirewallOptions& options() const { return options_; }
  std::size_t flows(Instant now) const;

 private:
  using Flows = AgingTable<Ends, std::monostate, EndsHash>;  // inside, outside
  bool blocks(const Packet& packet) const;
  /// Echoes of ICMP share UDP's: their remotes have port 0, which no UDP has.
  Flows& flows_of(Protocol protocol) { return flows_[protocol == Protocol::tcp ? 1 : 0]; }
  static bool throttles(Instant now, const Packet& packet, std::optional<TokenBucket>& bucket);

  FirewallOptions options_;
  std::array<Flows, 2> flows_;  // UDP's, TCP's
  std::optional<TokenBucket> out_;
  std::optional<TokenBucket> in_;
};

}  // namespace pw::net
