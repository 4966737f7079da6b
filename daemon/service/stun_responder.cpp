#include "service/stun_responder.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::service {
namespace {

namespace stun = wire::stun;

constexpr int kUnknownAttribute = 420;

/// What of an address one network has: IPv4 /24, IPv6 /48, the least that is routed by itself.
IpAddress network_of(const IpAddress& source) {
  const ByteView in = source.bytes();
  if (source.family() == Family::v4) return IpAddress::v4({in[0], in[1], in[2], 0});
  std::array<std::uint8_t, 16> bytes{};
  std::copy_n(in.begin(), 6, bytes.begin());
  return IpAddress::v6(bytes);
}

/// Whether an answer could go there at all.
bool reachable(const SocketAddress& to) { return to.port != 0 && !to.ip.is_unspecified() && !to.ip.is_multicast(); }

/// What is refused of a request, as UNKNOWN-ATTRIBUTES lists it.
std::vector<std::uint16_t> refused(const stun::Decoded& request, bool can_change) {
  std::vector<std::uint16_t> types;
  if (request.message.change && !can_change) types.push_back(stun::kChangeRequestType);
  if (request.padding) types.push_back(stun::kPaddingType);
  if (request.response_port) types.push_back(stun::kResponsePortType);
  types.insert(types.end(), request.not_understood.begin(), request.not_understood.end());
  types.resize(std::min(types.size(), stun::kMaxTypes));
  return types;
}

}  // namespace

StunResponder::StunResponder(StunResponderOptions options)
    : options_{std::move(options)},
      total_{options_.total, options_.total_burst},
      networks_{kBuckets, TokenBucket{options_.per_network, options_.per_network_burst}} {
  for (const auto& [primary, alternate] : options_.behaviour_discovery) {
    PW_CHECK(primary.ip.family() == alternate.ip.family());
    PW_CHECK(primary.ip != alternate.ip && primary.port != alternate.port);
  }
}

std::optional<SocketAddress> StunResponder::opposite_of(const SocketAddress& asked) const {
  for (const auto& [primary, alternate] : options_.behaviour_discovery) {
    if (asked.ip != primary.ip && asked.ip != alternate.ip) continue;
    if (asked.port != primary.port && asked.port != alternate.port) continue;
    return SocketAddress{asked.ip == primary.ip ? alternate.ip : primary.ip,
                         asked.port == primary.port ? alternate.port : primary.port};
  }
  return std::nullopt;
}

bool StunResponder::may_answer(Instant now, const IpAddress& source) {
  TokenBucket& network = networks_[std::hash<IpAddress>{}(network_of(source)) % kBuckets];
  return network.take(now) && total_.take(now);
}

StunResponder::Outcome StunResponder::answer(Instant now, const PathAddress& from, std::uint16_t local_port,
                                             ByteView datagram) {
  const auto request = stun::decode(datagram);
  if (!request) return {StunResult::malformed, {}};
  return answer(now, from, local_port, *request, datagram.size());
}

StunResponder::Outcome StunResponder::answer(Instant now, const PathAddress& from, std::uint16_t local_port,
                                             const stun::Decoded& request, std::size_t size) {
  const stun::Message& asked = request.message;
  if (asked.kind != stun::Class::request || asked.method != stun::kBinding || asked.username ||
      request.integrity != stun::Integrity::none || !reachable(from.remote))
    return {StunResult::ignored, {}};
  if (!may_answer(now, from.remote.ip)) return {StunResult::rate_limited, {}};

  stun::Message reply;
  reply.transaction = asked.transaction;
  const auto encoded = [&] {
    return stun::encode(reply, stun::Integrity::none, {},
                        request.fingerprint ? stun::Fingerprint::with : stun::Fingerprint::without);
  };
  SocketAddress source{from.local, local_port};
  const auto opposite = opposite_of(source);

  reply.unknown = refused(request, opposite.has_value());
  if (!reply.unknown.empty()) {
    reply.kind = stun::Class::error;
    reply.error = stun::ErrorCode{kUnknownAttribute, {}};
    return {StunResult::unsupported, Answer{source, from.remote, encoded()}};
  }

  reply.kind = stun::Class::success;
  reply.mapped = from.remote;
  if (opposite) {
    if (asked.change && asked.change->ip) source.ip = opposite->ip;
    if (asked.change && asked.change->port) source.port = opposite->port;
    const auto add = [&](std::optional<SocketAddress>& attribute, const SocketAddress& value, std::size_t room) {
      attribute = value;
      if (encoded().size() > room) attribute.reset();
    };
    add(reply.other_address, *opposite, kMaxAmplification * size);
    add(reply.response_origin, source, asked.change ? kMaxAmplification * size : size);
  }
  return {StunResult::success, Answer{source, from.remote, encoded()}};
}

}  // namespace pw::service
