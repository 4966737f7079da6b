#include "nat/nat_pmp.hpp"

namespace pw::nat::nat_pmp {
namespace {

constexpr std::uint8_t kVersion = 0;
constexpr std::uint8_t kExternalAddress = 0;
constexpr std::uint8_t kMapUdp = 1;
constexpr std::uint8_t kResponse = 128;
constexpr std::size_t kHeader = 8;
constexpr std::size_t kAddressLength = 12;
constexpr std::size_t kMapLength = 16;

/// Section 3.5.
MappingError error_of(std::uint16_t result) {
  switch (result) {
    case 0: return MappingError::none;
    case 1: return MappingError::unsupported_version;
    case 2: return MappingError::not_authorised;
    case 3: return MappingError::network_failure;
    case 4: return MappingError::no_resources;
    case 5: return MappingError::unsupported;
    default: return MappingError::other;
  }
}

}  // namespace

Buffer encode_address_request() { return {kVersion, kExternalAddress}; }

Buffer encode_map(std::uint16_t inner_port, std::uint16_t wanted_port, std::uint32_t lifetime) {
  Buffer out{kVersion, kMapUdp, 0, 0};
  ByteWriter w{out};
  w.u16(inner_port);
  w.u16(wanted_port);
  w.u32(lifetime);
  return out;
}

Result<Response, AnswerFault> decode(ByteView datagram) {
  if (datagram.size() < kHeader) return tl::unexpected(AnswerFault::bad_length);
  ByteReader r{datagram};
  const std::uint8_t version = r.u8();
  const std::uint8_t opcode = r.u8();
  if ((opcode & kResponse) == 0) return tl::unexpected(AnswerFault::not_an_answer);
  Response out;
  out.error = error_of(r.u16());
  // A server that knows PCP alone says so in its own version, with its code where ours is looked for.
  if (version != kVersion && out.error != MappingError::unsupported_version)
    return tl::unexpected(AnswerFault::wrong_version);
  out.epoch = r.u32();
  switch (opcode & 0x7f) {
    case kExternalAddress: out.kind = Response::Kind::address; break;
    case kMapUdp: out.kind = Response::Kind::map; break;
    default: return tl::unexpected(AnswerFault::wrong_opcode);
  }
  if (out.error != MappingError::none) return out;
  if (datagram.size() != (out.kind == Response::Kind::map ? kMapLength : kAddressLength))
    return tl::unexpected(AnswerFault::bad_length);
  if (out.kind == Response::Kind::map) {
    out.inner_port = r.u16();
    out.outer_port = r.u16();
    out.lifetime = r.u32();
  } else {
    out.address = IpAddress::v4({r.u8(), r.u8(), r.u8(), r.u8()});
  }
  return out;
}

bool restarted(const EpochSample& before, const EpochSample& after) {
  // "adding 7/8 (87.5%) of the time elapsed according to the client's local clock"; "less than the client's conservative
  // estimate by more than 2 seconds"
  const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>((after.at - before.at) / 8 * 7).count();
  return static_cast<std::int64_t>(after.seconds) + 2 < static_cast<std::int64_t>(before.seconds) + elapsed;
}

}  // namespace pw::nat::nat_pmp
