// NAT-PMP, the gateway's side (RFC 6886 section 3).
#include <algorithm>

#include "sim/net/port_mapper.hpp"

namespace pw::net {
namespace {

constexpr std::uint8_t kExternalAddress = 0;
constexpr std::uint8_t kMapUdp = 1;
constexpr std::uint8_t kMapTcp = 2;
constexpr std::uint8_t kResponse = 128;
constexpr std::size_t kMapLength = 12;

// Section 3.5.
constexpr std::uint16_t kSuccess = 0;
constexpr std::uint16_t kUnsupportedVersion = 1;
constexpr std::uint16_t kRefused = 2;
constexpr std::uint16_t kNetworkFailure = 3;
constexpr std::uint16_t kOutOfResources = 4;
constexpr std::uint16_t kUnsupportedOpcode = 5;

Buffer header(std::uint8_t opcode, std::uint16_t result, std::uint32_t epoch) {
  Buffer out;
  ByteWriter w{out};
  w.u8(0);
  w.u8(kResponse | opcode);
  w.u16(result);
  w.u32(epoch);
  return out;
}

}  // namespace

std::optional<Buffer> PortMapper::answer_nat_pmp(Instant now, const IpAddress& from, ByteView request, NatBox* nat) {
  if (from.family() == Family::v6) return std::nullopt;  // it knows IPv4 only
  const std::uint8_t opcode = request[1];
  if (request[0] != 0) return header(opcode, kUnsupportedVersion, epoch(now));
  switch (opcode) {
    case kExternalAddress: {
      Buffer out = header(opcode, nat != nullptr ? kSuccess : kNetworkFailure, epoch(now));
      const IpAddress address = nat != nullptr ? told_address(*nat) : IpAddress{};
      ByteWriter{out}.bytes(address.bytes());
      return out;
    }
    case kMapUdp:
    case kMapTcp:
      if (request.size() < kMapLength) return std::nullopt;  // no code says "malformed"
      return map_nat_pmp(now, from, request, nat);
    default: {
      // "the entire request MUST be returned to the sender, with the top bit of the opcode set ... and the result code
      // set to 5"
      Buffer out = header(opcode, kUnsupportedOpcode, epoch(now));
      if (request.size() > out.size()) out.insert(out.end(), request.begin() + 8, request.end());
      return out;
    }
  }
}

Buffer PortMapper::map_nat_pmp(Instant now, const IpAddress& from, ByteView request, NatBox* nat) {
  ByteReader r{request.subspan(1)};
  const std::uint8_t opcode = r.u8();
  r.bytes(2);
  const std::uint16_t inner_port = r.u16();
  const std::uint16_t wanted = r.u16();
  const std::uint32_t lifetime = r.u32();
  const Protocol protocol = opcode == kMapUdp ? Protocol::udp : Protocol::tcp;
  const auto reply = [&](std::uint16_t result, std::uint16_t outer_port, std::uint32_t granted) {
    Buffer out = header(opcode, result, epoch(now));
    ByteWriter w{out};
    w.u16(inner_port);
    w.u16(outer_port);
    w.u32(granted);
    return out;
  };
  if (nat == nullptr) return reply(kNetworkFailure, 0, 0);

  if (lifetime == 0) {
    // Section 3.4: port 0 asks for the deletion of all mappings of the host; what does not exist is deleted with success.
    if (options_.refuses) return reply(kRefused, 0, 0);
    forget_expired(now);
    std::vector<Key> doomed;
    for (const auto& [key, lease] : leases_)
      if (key.first.ip == from && key.second == protocol && (inner_port == 0 || key.first.port == inner_port))
        doomed.push_back(key);
    for (const Key& key : doomed) release(key, nat);
    return reply(kSuccess, 0, 0);
  }
  if (inner_port == 0) return reply(kRefused, 0, 0);  // a mapping of all ports is not for asking

  const auto longest = std::chrono::duration_cast<std::chrono::seconds>(options_.max_lifetime).count();
  const auto granted = static_cast<std::uint32_t>(std::min<std::int64_t>(lifetime, longest));
  const Grant g = grant(now, {{from, inner_port}, protocol, wanted, false, std::chrono::seconds{granted}, {}}, nat);
  switch (g.outcome) {
    case Outcome::granted: return reply(kSuccess, g.told.port, granted);
    case Outcome::refused: return reply(kRefused, 0, 0);
    case Outcome::quota:
    case Outcome::no_room:
    case Outcome::other_port: break;
  }
  return reply(kOutOfResources, 0, 0);
}

}  // namespace pw::net
