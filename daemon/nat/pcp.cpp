#include "nat/pcp.hpp"

#include <algorithm>

namespace pw::nat::pcp {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kAnnounce = 0;
constexpr std::uint8_t kMap = 1;
constexpr std::uint8_t kResponse = 128;
constexpr std::uint8_t kUdp = 17;  // IANA protocol numbers
constexpr std::size_t kHeader = 24;
constexpr std::size_t kMapLength = kHeader + 36;
constexpr std::size_t kLongest = 1100;  // section 7
constexpr std::uint8_t kUnsuppVersion = 1;

/// Section 5: IPv4 as an IPv4-mapped IPv6 address.
void write_address(ByteWriter& w, const IpAddress& ip) {
  if (ip.family() == Family::v4) {
    w.zeros(10);
    w.u16(0xffff);
  }
  w.bytes(ip.bytes());
}
IpAddress read_address(ByteReader& r) {
  std::array<std::uint8_t, 16> all{};
  std::ranges::copy(r.bytes(all.size()), all.begin());
  const bool four = std::all_of(all.begin(), all.begin() + 10, [](std::uint8_t b) { return b == 0; }) &&
                    all[10] == 0xff && all[11] == 0xff;
  return four ? IpAddress::v4({all[12], all[13], all[14], all[15]}) : IpAddress::v6(all);
}

Buffer header(std::uint8_t opcode, std::uint32_t lifetime, const IpAddress& own) {
  Buffer out;
  ByteWriter w{out};
  w.u8(kVersion);
  w.u8(opcode);
  w.zeros(2);
  w.u32(lifetime);
  write_address(w, own);
  return out;
}

/// Section 7.4.
MappingError error_of(std::uint8_t result) {
  switch (result) {
    case 0: return MappingError::none;
    case 1: return MappingError::unsupported_version;
    case 2: return MappingError::not_authorised;
    case 3: return MappingError::malformed;
    case 4:
    case 5: return MappingError::unsupported;
    case 6: return MappingError::malformed;
    case 7: return MappingError::network_failure;
    case 8: return MappingError::no_resources;
    case 9: return MappingError::unsupported;
    case 10: return MappingError::no_resources;  // this node's quota
    case 11: return MappingError::conflict;
    case 12: return MappingError::address_mismatch;
    default: return MappingError::other;
  }
}

}  // namespace

Buffer encode_announce(const IpAddress& own) { return header(kAnnounce, 0, own); }

Buffer encode_map(const Map& map) {
  Buffer out = header(kMap, map.lifetime, map.own);
  ByteWriter w{out};
  w.bytes(map.nonce);
  w.u8(kUdp);
  w.zeros(3);
  w.u16(map.inner_port);
  w.u16(map.wanted.port);
  write_address(w, map.wanted.ip);
  return out;
}

Result<Response, AnswerFault> decode(ByteView datagram) {
  if (datagram.size() < 4) return tl::unexpected(AnswerFault::bad_length);
  if ((datagram[1] & kResponse) == 0) return tl::unexpected(AnswerFault::not_an_answer);
  Response out;
  ByteReader r{datagram};
  const std::uint8_t version = r.u8();
  const std::uint8_t opcode = r.u8() & 0x7f;
  r.u8();
  const std::uint8_t result = r.u8();
  // Section 9 and appendix A: the same code in the same place in every version, NAT-PMP's 0 included.
  if (result == kUnsuppVersion) {
    out.kind = Response::Kind::other_version;
    out.error = MappingError::unsupported_version;
    return out;
  }
  if (version != kVersion) return tl::unexpected(AnswerFault::wrong_version);
  if (datagram.size() < kHeader || datagram.size() > kLongest || datagram.size() % 4 != 0)
    return tl::unexpected(AnswerFault::bad_length);
  if (opcode != kAnnounce && opcode != kMap) return tl::unexpected(AnswerFault::wrong_opcode);
  if (opcode == kMap && datagram.size() < kMapLength) return tl::unexpected(AnswerFault::bad_length);

  out.error = error_of(result);
  out.lifetime = r.u32();
  out.epoch = r.u32();
  if (opcode == kAnnounce) return out;
  out.kind = Response::Kind::map;
  r.bytes(12);
  std::ranges::copy(r.bytes(out.nonce.size()), out.nonce.begin());
  out.udp = r.u8() == kUdp;
  r.bytes(3);
  out.inner_port = r.u16();
  out.external.port = r.u16();
  out.external.ip = read_address(r);
  return out;
}

bool restarted(const EpochSample& before, const EpochSample& after) {
  const auto gateway = static_cast<std::int64_t>(after.seconds) - static_cast<std::int64_t>(before.seconds);
  // "less than the previously received PCP server Epoch Time by more than one second"
  if (gateway < -1) return true;
  const auto own = std::chrono::duration_cast<std::chrono::seconds>(after.at - before.at).count();
  return own + 2 < gateway - gateway / 16 || gateway + 2 < own - own / 16;
}

}  // namespace pw::nat::pcp
