// What tests of NatBox ask it: where a packet comes out, and whom one from outside reaches.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/net/nat.hpp"

namespace pw::net {

inline SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }
inline std::vector<IpAddress> pool(std::initializer_list<std::string_view> texts) {
  std::vector<IpAddress> ips;
  for (const auto text : texts) ips.push_back(IpAddress::parse(text).value());
  return ips;
}

struct NatProbe {
  NatBox box;
  Instant now{1h};
  Protocol protocol = Protocol::udp;

  explicit NatProbe(NatOptions options, std::initializer_list<std::string_view> outer = {"100.0.0.1"},
                    std::uint64_t seed = 1)
      : box{options, pool(outer), Rng{seed}} {}

  Packet packet(std::string_view from, std::string_view to) const {
    Packet p;
    p.protocol = protocol;
    p.source = at(from);
    p.destination = at(to);
    return p;
  }
  /// The source that the remote sees, or the reason why it sees nothing. Hairpinned: "SOURCE > INNER".
  std::string out(std::string_view from, std::string_view to) {
    Packet p = packet(from, to);
    const auto verdict = box.from_inside(now, p);
    switch (verdict.way) {
      case NatBox::Way::out: return p.source.to_string();
      case NatBox::Way::in: return p.source.to_string() + " > " + p.destination.to_string();
      case NatBox::Way::drop: break;
    }
    return std::string{name(verdict.reason)};
  }
  /// The inner endpoint that it reaches, or the reason why it reaches none.
  std::string in(std::string_view from, std::string_view to) {
    Packet p = packet(from, to);
    const auto verdict = box.from_outside(now, p);
    return verdict.way == NatBox::Way::in ? p.destination.to_string() : std::string{name(verdict.reason)};
  }
};

}  // namespace pw::net
