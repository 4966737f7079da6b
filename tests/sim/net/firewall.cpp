#include "sim/net/firewall.hpp"

#include <algorithm>

namespace pw::net {
namespace {

// Expired flows removed by one packet: more than the one that it can add.
constexpr std::size_t kSweep = 64;
// A bucket must hold the largest packet of an ordinary link, or nothing of that size would ever pass a slow throttle.
constexpr double kLargestPacket = 1500;

std::optional<TokenBucket> bucket(double rate) {
  if (rate <= 0) return std::nullopt;
  return TokenBucket{rate, std::max(rate / 10, kLargestPacket)};
}

}  // namespace

Firewall::Firewall(FirewallOptions options) : options_{std::move(options)} { reboot(); }

void Firewall::reboot() {
  for (Flows& flows : flows_) flows.clear();
  out_ = bucket(options_.udp_rate);
  in_ = bucket(options_.udp_rate);
}

bool Firewall::blocks(const Packet& packet) const {
  switch (packet.protocol) {
    case Protocol::udp: return options_.udp_blocked;
    case Protocol::tcp: return options_.tcp_blocked;
    case Protocol::icmp: return false;
  }
  return false;
}

bool Firewall::throttles(Instant now, const Packet& packet, std::optional<TokenBucket>& bucket) {
  return packet.protocol == Protocol::udp && bucket && !bucket->take(now, static_cast<double>(packet.size()));
}

std::optional<Drop> Firewall::from_inside(Instant now, const Packet& packet) {
  if (blocks(packet)) return Drop::blocked;
  if (packet.protocol == Protocol::udp && !options_.udp_ports.empty() &&
      !options_.udp_ports.contains(packet.destination.port))
    return Drop::blocked;
  Flows& flows = flows_of(packet.protocol);
  const Ends flow{packet.source, packet.destination};
  if (options_.stateful) {
    for (Flows& f : flows_) f.sweep(now, kSweep);
    if (!flows.contains(flow) && flows_[0].size() + flows_[1].size() >= options_.max_flows)
      return Drop::table_full;
  }
  if (throttles(now, packet, out_)) return Drop::throttled;
  if (options_.stateful) flows.put(flow, {}, saturating_add(now, options_.timeout));
  return std::nullopt;
}

std::optional<Drop> Firewall::from_outside(Instant now, const Packet& packet) {
  if (blocks(packet)) return Drop::blocked;
  Flows& flows = flows_of(packet.protocol);
  const Ends flow{packet.destination, packet.source};
  if (options_.stateful && flows.find(now, flow) == nullptr) return Drop::filtered;
  if (throttles(now, packet, in_)) return Drop::throttled;
  if (options_.stateful) flows.refresh(flow, saturating_add(now, options_.timeout));
  return std::nullopt;
}

std::size_t Firewall::flows(Instant now) const { return flows_[0].living(now) + flows_[1].living(now); }

}  // namespace pw::net
