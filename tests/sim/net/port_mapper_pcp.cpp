// PCP, the server's side (RFC 6887 sections 7, 8, 11, 13 and 14).
#include <algorithm>

#include "sim/net/port_mapper.hpp"

namespace pw::net {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kAnnounce = 0;
constexpr std::uint8_t kMap = 1;
constexpr std::uint8_t kResponse = 128;
constexpr std::size_t kHeader = 24;
constexpr std::size_t kMapLength = 36;  // behind the header
constexpr std::size_t kLongest = 1100;  // section 7: "The maximum UDP payload"
constexpr std::uint8_t kUdp = 17;       // IANA protocol numbers
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kPreferFailure = 2;
constexpr std::uint8_t kOptionalFrom = 128;  // section 7.3: options from here on may be ignored

// Section 7.4.
constexpr std::uint8_t kSuccess = 0;
constexpr std::uint8_t kUnsuppVersion = 1;
constexpr std::uint8_t kNotAuthorized = 2;
constexpr std::uint8_t kMalformedRequest = 3;
constexpr std::uint8_t kUnsuppOpcode = 4;
constexpr std::uint8_t kUnsuppOption = 5;
constexpr std::uint8_t kMalformedOption = 6;
constexpr std::uint8_t kNoResources = 8;
constexpr std::uint8_t kUnsuppProtocol = 9;
constexpr std::uint8_t kUserExQuota = 10;
constexpr std::uint8_t kCannotProvideExternal = 11;
constexpr std::uint8_t kAddressMismatch = 12;
// "use a 30-minute lifetime for long lifetime errors and a 30-second lifetime for short lifetime errors".
constexpr std::uint32_t kLongError = 1800;
constexpr std::uint32_t kShortError = 30;
// Section 15: what a server should grant at least, so that nobody makes it busy with renewals.
constexpr std::int64_t kShortestLifetime = 120;

bool passes(std::uint8_t result) {
  return result == kNoResources || result == kUserExQuota || result == kCannotProvideExternal;
}

/// Section 5: IPv4 as an IPv4-mapped IPv6 address.
void write_address(ByteWriter& w, const IpAddress& ip) {
  if (ip.family() == Family::v4) {
    w.zeros(10);
    w.u16(0xffff);
  }
  w.bytes(ip.bytes());
}
bool is_address(ByteView field, const IpAddress& ip) {
  Buffer wire;
  ByteWriter w{wire};
  write_address(w, ip);
  return std::ranges::equal(field, wire);
}
bool is_any(ByteView field) {
  const bool v4 = is_address(field, IpAddress{});
  return v4 || std::ranges::all_of(field, [](std::uint8_t b) { return b == 0; });
}

Buffer header(std::uint8_t opcode, std::uint8_t result, std::uint32_t lifetime, std::uint32_t epoch) {
  Buffer out;
  ByteWriter w{out};
  w.u8(kVersion);
  w.u8(kResponse | opcode);
  w.u8(0);
  w.u8(result);
  w.u32(lifetime);
  w.u32(epoch);
  w.zeros(12);
  return out;
}

/// Section 7.3. What stands against the options behind MAP, if anything does.
std::uint8_t read_options(ByteView in, bool& prefer_failure) {
  ByteReader r{in};
  while (r.remaining() > 0) {
    const std::uint8_t code = r.u8();
    r.u8();
    const std::uint16_t length = r.u16();
    r.bytes((length + 3U) & ~std::size_t{3});
    if (!r.ok()) return kMalformedOption;
    if (code == kPreferFailure) {
      if (length != 0 || prefer_failure) return kMalformedOption;
      prefer_failure = true;
    } else if (code < kOptionalFrom) {
      return kUnsuppOption;
    }
  }
  return kSuccess;
}

}  // namespace

/// Section 8.2: the request as it came, with the fields of a response in its header.
Buffer PortMapper::refuse_pcp(Instant now, ByteView request, std::uint8_t result) const {
  Buffer out = header(request[1] & 0x7f, result, passes(result) ? kShortError : kLongError, epoch(now));
  const ByteView copied = request.first(std::min(request.size(), kLongest));
  if (copied.size() > kHeader) out.insert(out.end(), copied.begin() + kHeader, copied.end());
  out.resize((out.size() + 3) & ~std::size_t{3});
  return out;
}

Buffer PortMapper::answer_pcp(Instant now, const IpAddress& from, ByteView request, NatBox* nat) {
  if (request[0] != kVersion) return refuse_pcp(now, request, kUnsuppVersion);
  if (request.size() < kHeader || request.size() % 4 != 0 || request.size() > kLongest)
    return refuse_pcp(now, request, kMalformedRequest);
  const std::uint8_t opcode = request[1];
  if (opcode != kAnnounce && opcode != kMap) return refuse_pcp(now, request, kUnsuppOpcode);
  // "If the source IP address ... does not match the PCP Client's IP Address field": there is a NAT between.
  if (!is_address(request.subspan(8, 16), from)) return refuse_pcp(now, request, kAddressMismatch);
  return opcode == kMap ? map_pcp(now, from, request, nat) : header(kAnnounce, kSuccess, 0, epoch(now));
}

Buffer PortMapper::map_pcp(Instant now, const IpAddress& from, ByteView request, NatBox* nat) {
  if (request.size() < kHeader + kMapLength) return refuse_pcp(now, request, kMalformedRequest);
  ByteReader r{request.subspan(4)};
  const std::uint32_t lifetime = r.u32();
  r.bytes(16);
  Nonce nonce{};
  std::ranges::copy(r.bytes(nonce.size()), nonce.begin());
  const std::uint8_t number = r.u8();
  r.bytes(3);
  const std::uint16_t inner_port = r.u16();
  const std::uint16_t wanted = r.u16();
  const ByteView wanted_address = r.bytes(16);
  bool exact = false;
  if (const std::uint8_t wrong = read_options(r.rest(), exact); wrong != kSuccess) return refuse_pcp(now, request, wrong);
  // Section 11.1: all protocols go with all ports only; neither is offered here.
  if (number == 0 && inner_port != 0) return refuse_pcp(now, request, kMalformedRequest);
  if ((number != kUdp && number != kTcp) || inner_port == 0) return refuse_pcp(now, request, kUnsuppProtocol);
  // Section 13.2: PREFER_FAILURE without a port to insist on makes no sense.
  if (exact && lifetime != 0 && wanted == 0) return refuse_pcp(now, request, kMalformedOption);

  const Protocol protocol = number == kUdp ? Protocol::udp : Protocol::tcp;
  const Key key{{from, inner_port}, protocol};
  const auto reply = [&](const SocketAddress& outer, std::uint32_t granted) {
    Buffer out = header(kMap, kSuccess, granted, epoch(now));
    ByteWriter w{out};
    w.bytes(nonce);
    w.u8(number);
    w.zeros(3);
    w.u16(inner_port);
    w.u16(outer.port);
    write_address(w, outer.ip);
    return out;
  };

  if (options_.refuses) return refuse_pcp(now, request, kNotAuthorized);
  const Lease* lease = find(now, key);
  // Section 11.3: only who knows the nonce of a mapping may renew or delete it.
  if (lease != nullptr && lease->nonce && *lease->nonce != nonce) return refuse_pcp(now, request, kNotAuthorized);
  if (lifetime == 0) {  // section 15.1; what does not exist is deleted with success
    const SocketAddress told{nat != nullptr && from.family() == Family::v4 ? told_address(*nat) : from,
                             lease != nullptr ? lease->port : wanted};
    release(key, nat);
    return reply(told, 0);
  }
  const bool translated = nat != nullptr && from.family() == Family::v4;
  const IpAddress external = translated ? told_address(*nat) : from;
  if (exact && !is_any(wanted_address) && !is_address(wanted_address, external))
    return refuse_pcp(now, request, kCannotProvideExternal);

  const auto longest = std::chrono::duration_cast<std::chrono::seconds>(options_.max_lifetime).count();
  const auto granted = static_cast<std::uint32_t>(
      std::min(std::max<std::int64_t>(lifetime, kShortestLifetime), longest));
  const Grant g = grant(now, {key.first, protocol, wanted, exact, std::chrono::seconds{granted}, nonce}, nat);
  switch (g.outcome) {
    case Outcome::granted: return reply(g.told, granted);
    case Outcome::refused: return refuse_pcp(now, request, kNotAuthorized);
    case Outcome::quota: return refuse_pcp(now, request, kUserExQuota);
    case Outcome::no_room: return refuse_pcp(now, request, kNoResources);
    case Outcome::other_port: break;
  }
  return refuse_pcp(now, request, kCannotProvideExternal);
}

}  // namespace pw::net
