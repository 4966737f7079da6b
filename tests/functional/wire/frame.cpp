#include "functional/wire/frame.hpp"

#include <algorithm>
#include <optional>

#include "functional/wire/checksum.hpp"

namespace pw::lab {
namespace {

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kEchoHeader = 8;
constexpr std::size_t kUdpChecksum = 6;   // where it is in its header
constexpr std::size_t kTcpChecksum = 16;
constexpr std::size_t kIcmpChecksum = 2;
constexpr std::size_t kEchoIdentifier = 4;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint16_t kFragmented = 0x3fff;  // "more fragments" and the offset
constexpr std::size_t kLongest = 65535;

std::uint16_t read_u16(ByteView in, std::size_t at) { return static_cast<std::uint16_t>(in[at] << 8 | in[at + 1]); }
void write_u16(Buffer& out, std::size_t at, std::uint16_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}
IpAddress read_v4(ByteReader& in) {
  std::array<std::uint8_t, 4> bytes{};
  std::ranges::copy(in.bytes(bytes.size()), bytes.begin());
  return IpAddress::v4(bytes);
}
IpAddress read_v6(ByteReader& in) {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(in.bytes(bytes.size()), bytes.begin());
  return IpAddress::v6(bytes);
}

/// Which way an echo goes: a request carries its identifier as source port, a reply as destination port.
enum class Echo : std::uint8_t { request, reply };
std::optional<Echo> echo_kind(Family family, std::uint8_t type) {
  if (type == (family == Family::v4 ? 8 : 128)) return Echo::request;
  if (type == (family == Family::v4 ? 0 : 129)) return Echo::reply;
  return std::nullopt;
}

Result<net::Packet, Unusable> read_udp(net::Packet packet, ByteView in) {
  if (in.size() < kUdpHeader) return tl::unexpected{Unusable::truncated};
  const std::size_t length = read_u16(in, 4);
  if (length < kUdpHeader) return tl::unexpected{Unusable::malformed};
  if (length > in.size()) return tl::unexpected{Unusable::truncated};
  packet.protocol = net::Protocol::udp;
  packet.source.port = read_u16(in, 0);
  packet.destination.port = read_u16(in, 2);
  const ByteView data = in.subspan(kUdpHeader, length - kUdpHeader);
  packet.payload.assign(data.begin(), data.end());
  return packet;
}

Result<net::Packet, Unusable> read_tcp(net::Packet packet, ByteView in) {
  if (in.size() < kTcpHeader) return tl::unexpected{Unusable::truncated};
  const std::size_t header = static_cast<std::size_t>(in[12] >> 4) * 4;
  if (header < kTcpHeader || header > in.size()) return tl::unexpected{Unusable::malformed};
  packet.protocol = net::Protocol::tcp;
  packet.source.port = read_u16(in, 0);
  packet.destination.port = read_u16(in, 2);
  packet.payload.assign(in.begin(), in.end());
  return packet;
}

Result<net::Packet, Unusable> read_icmp(net::Packet packet, ByteView in) {
  if (in.size() < kEchoHeader) return tl::unexpected{Unusable::truncated};
  const auto kind = echo_kind(packet.source.ip.family(), in[0]);
  if (!kind || in[1] != 0) return tl::unexpected{Unusable::protocol};
  packet.protocol = net::Protocol::icmp;
  (kind == Echo::request ? packet.source : packet.destination).port = read_u16(in, kEchoIdentifier);
  packet.payload.assign(in.begin(), in.end());
  return packet;
}

Result<net::Packet, Unusable> read_transport(net::Packet packet, std::uint8_t protocol, ByteView in) {
  if (packet.destination.ip.is_multicast() || packet.destination.ip == IpAddress::v4({255, 255, 255, 255}))
    return tl::unexpected{Unusable::multicast};
  if (protocol == kIpUdp) return read_udp(std::move(packet), in);
  if (protocol == kIpTcp) return read_tcp(std::move(packet), in);
  const bool v4 = packet.source.ip.family() == Family::v4;
  if (protocol == (v4 ? kIpIcmp : kIpIcmp6)) return read_icmp(std::move(packet), in);
  // Hop-by-hop options, routing, fragment, destination options (RFC 8200 section 4).
  if (!v4 && protocol == 44) return tl::unexpected{Unusable::fragment};
  if (!v4 && (protocol == 0 || protocol == 43 || protocol == 60)) return tl::unexpected{Unusable::options};
  return tl::unexpected{Unusable::protocol};
}

Result<net::Packet, Unusable> read_ipv4(ByteView ip) {
  if (ip.size() < kIpv4Header) return tl::unexpected{Unusable::truncated};
  const std::size_t header = static_cast<std::size_t>(ip[0] & 0x0f) * 4;
  const std::size_t total = read_u16(ip, 2);
  if (ip[0] >> 4 != 4 || header < kIpv4Header || total < header) return tl::unexpected{Unusable::malformed};
  if (total > ip.size()) return tl::unexpected{Unusable::truncated};
  if (Checksum{}.add(ip.first(header)).value() != 0) return tl::unexpected{Unusable::malformed};
  if (header > kIpv4Header) return tl::unexpected{Unusable::options};
  if ((read_u16(ip, 6) & kFragmented) != 0) return tl::unexpected{Unusable::fragment};
  net::Packet packet;
  packet.ttl = ip[8];
  ByteReader addresses{ip.subspan(12)};
  packet.source.ip = read_v4(addresses);
  packet.destination.ip = read_v4(addresses);
  // A short frame is padded to Ethernet's minimum: what follows the total length is not of the packet.
  return read_transport(std::move(packet), ip[9], ip.first(total).subspan(header));
}

Result<net::Packet, Unusable> read_ipv6(ByteView ip) {
  if (ip.size() < kIpv6Header) return tl::unexpected{Unusable::truncated};
  const std::size_t length = read_u16(ip, 4);
  if (ip[0] >> 4 != 6) return tl::unexpected{Unusable::malformed};
  if (length > ip.size() - kIpv6Header) return tl::unexpected{Unusable::truncated};
  net::Packet packet;
  packet.ttl = ip[7];
  ByteReader addresses{ip.subspan(8)};
  packet.source.ip = read_v6(addresses);
  packet.destination.ip = read_v6(addresses);
  return read_transport(std::move(packet), ip[6], ip.subspan(kIpv6Header, length));
}

struct Transport {
  std::uint8_t protocol;
  std::size_t header;    // bytes that the packet's payload does not have
  std::size_t checksum;  // where in the header
};
Transport transport_of(const net::Packet& packet) {
  switch (packet.protocol) {
    case net::Protocol::udp: return {kIpUdp, kUdpHeader, kUdpChecksum};
    case net::Protocol::tcp: return {kIpTcp, 0, kTcpChecksum};
    case net::Protocol::icmp: break;
  }
  return {packet.source.ip.family() == Family::v4 ? kIpIcmp : kIpIcmp6, 0, kIcmpChecksum};
}

bool has_form(const net::Packet& packet) {
  if (packet.source.ip.family() != packet.destination.ip.family()) return false;
  if (packet.size() > kLongest) return false;
  if (packet.protocol == net::Protocol::tcp) return packet.payload.size() >= kTcpHeader;
  return packet.protocol == net::Protocol::udp || packet.payload.size() >= kEchoHeader;
}

void write_ip(const net::Packet& packet, std::uint8_t protocol, std::size_t length, std::uint16_t identification,
              Buffer& out) {
  ByteWriter writer{out};
  if (packet.source.ip.family() == Family::v4) {
    const std::size_t begin = out.size();
    writer.u16(0x4500);
    writer.u16(static_cast<std::uint16_t>(kIpv4Header + length));
    writer.u16(identification);
    writer.u16(kDontFragment);
    writer.u8(packet.ttl);
    writer.u8(protocol);
    writer.u16(0);
    writer.bytes(packet.source.ip.bytes());
    writer.bytes(packet.destination.ip.bytes());
    write_u16(out, begin + 10, Checksum{}.add(ByteView{out}.subspan(begin)).value());
  } else {
    writer.u32(0x60000000);
    writer.u16(static_cast<std::uint16_t>(length));
    writer.u8(protocol);
    writer.u8(packet.ttl);
    writer.bytes(packet.source.ip.bytes());
    writer.bytes(packet.destination.ip.bytes());
  }
}

}  // namespace

Result<Ethernet, Unusable> read_ethernet(ByteView frame) {
  ByteReader reader{frame};
  Ethernet out{};
  const ByteView destination = reader.bytes(out.destination.size());
  const ByteView source = reader.bytes(out.source.size());
  out.type = reader.u16();
  if (!reader.ok()) return tl::unexpected{Unusable::truncated};
  std::ranges::copy(destination, out.destination.begin());
  std::ranges::copy(source, out.source.begin());
  out.payload = reader.rest();
  return out;
}

Result<net::Packet, Unusable> read_packet(std::uint16_t type, ByteView ip) {
  if (type == kEtherIpv4) return read_ipv4(ip);
  if (type == kEtherIpv6) return read_ipv6(ip);
  return tl::unexpected{Unusable::not_ip};
}

bool write_frame(const net::Packet& packet, const Mac& from, const Mac& to, std::uint16_t identification, Buffer& out) {
  out.clear();
  if (!has_form(packet)) return false;
  const bool v4 = packet.source.ip.family() == Family::v4;
  const Transport transport = transport_of(packet);
  const std::size_t length = transport.header + packet.payload.size();
  out.reserve(kEthernetHeader + kIpv6Header + length);
  ByteWriter writer{out};
  writer.bytes(to);
  writer.bytes(from);
  writer.u16(v4 ? kEtherIpv4 : kEtherIpv6);
  write_ip(packet, transport.protocol, length, identification, out);

  const std::size_t begin = out.size();
  if (packet.protocol == net::Protocol::udp) {
    writer.u16(packet.source.port);
    writer.u16(packet.destination.port);
    writer.u16(static_cast<std::uint16_t>(length));
    writer.u16(0);
  }
  writer.bytes(packet.payload);
  if (packet.protocol == net::Protocol::tcp) {
    write_u16(out, begin, packet.source.port);
    write_u16(out, begin + 2, packet.destination.port);
  } else if (packet.protocol == net::Protocol::icmp) {
    // A bit flipped on the way may have made it something else, whose identifier is nobody's business.
    if (const auto kind = echo_kind(packet.source.ip.family(), out[begin]))
      write_u16(out, begin + kEchoIdentifier, (kind == Echo::request ? packet.source : packet.destination).port);
  }
  write_u16(out, begin + transport.checksum, 0);
  Checksum checksum;
  if (transport.protocol != kIpIcmp)  // ICMP of IPv4 has no pseudo header
    checksum.add_pseudo_header(packet.source.ip, packet.destination.ip, transport.protocol, length);
  const std::uint16_t value = checksum.add(ByteView{out}.subspan(begin)).value();
  // "If the computed checksum is zero, it is transmitted as all ones" (RFC 768): zero means that there is none.
  write_u16(out, begin + transport.checksum, value == 0 && transport.protocol == kIpUdp ? 0xffff : value);
  return true;
}

}  // namespace pw::lab
