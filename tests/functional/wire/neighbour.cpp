#include "functional/wire/neighbour.hpp"

#include <algorithm>

#include "functional/wire/checksum.hpp"

namespace pw::lab {
namespace {

constexpr std::uint16_t kArpEthernet = 1;
constexpr std::uint16_t kArpRequest = 1;
constexpr std::uint16_t kArpReply = 2;

constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kHopLimit = 255;  // "the packet could not have been forwarded by a router" (section 7.1.1)
constexpr std::uint32_t kRouterSolicitedOverride = 0xe0000000;
constexpr std::uint8_t kTargetLinkLayerAddress = 2;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kSolicitationSize = 24;

void ethernet_header(ByteWriter& out, const Mac& to, const Mac& from, std::uint16_t type) {
  out.bytes(to);
  out.bytes(from);
  out.u16(type);
}

void arp_body(ByteWriter& out, std::uint16_t operation, const Mac& sender, ByteView sender_ip, const Mac& target,
              ByteView target_ip) {
  out.u16(kArpEthernet);
  out.u16(kEtherIpv4);
  out.u8(6);
  out.u8(4);
  out.u16(operation);
  out.bytes(sender);
  out.bytes(sender_ip);
  out.bytes(target);
  out.bytes(target_ip);
}

IpAddress to_address(ByteView bytes) {
  if (bytes.size() == 4) return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
  std::array<std::uint8_t, 16> v6{};
  std::ranges::copy(bytes, v6.begin());
  return IpAddress::v6(v6);
}

std::optional<Buffer> answer_arp(const Ethernet& frame, const Mac& self, const Owns& owns) {
  ByteReader in{frame.payload};
  const bool ethernet = in.u16() == kArpEthernet && in.u16() == kEtherIpv4 && in.u8() == 6 && in.u8() == 4;
  const std::uint16_t operation = in.u16();
  const ByteView sender = in.bytes(6);
  const ByteView sender_ip = in.bytes(4);
  in.bytes(6);
  const ByteView target_ip = in.bytes(4);
  if (!in.ok() || !ethernet || operation != kArpRequest || owns(to_address(target_ip))) return std::nullopt;
  if (to_address(sender_ip).is_unspecified()) return std::nullopt;  // it makes sure that nobody has it (RFC 5227)
  Mac asker{};
  std::ranges::copy(sender, asker.begin());
  Buffer out;
  ByteWriter writer{out};
  ethernet_header(writer, frame.source, self, kEtherArp);
  arp_body(writer, kArpReply, self, target_ip, asker, sender_ip);
  return out;
}

bool is_solicitation(const Ethernet& frame) {
  const ByteView ip = frame.payload;
  return frame.type == kEtherIpv6 && ip.size() >= kIpv6Header + kSolicitationSize && ip[0] >> 4 == 6 &&
         ip[6] == kIpIcmp6 && ip[kIpv6Header] == kSolicitation;
}

std::optional<Buffer> answer_solicitation(const Ethernet& frame, const Mac& self, const Owns& owns) {
  ByteReader in{frame.payload};
  in.u32();
  const std::size_t length = in.u16();
  in.u8();
  const std::uint8_t hop_limit = in.u8();
  const IpAddress source = to_address(in.bytes(16));
  const IpAddress destination = to_address(in.bytes(16));
  const ByteView message = in.bytes(length);
  if (!in.ok() || length < kSolicitationSize || hop_limit != kHopLimit || message[1] != 0) return std::nullopt;
  if (Checksum{}.add_pseudo_header(source, destination, kIpIcmp6, length).add(message).value() != 0) return std::nullopt;
  const IpAddress target = to_address(message.subspan(8, 16));
  // From the unspecified address: duplicate address detection (RFC 4862).
  if (source.is_unspecified() || target.is_multicast() || target.is_link_local() || owns(target)) return std::nullopt;

  Buffer out;
  ByteWriter writer{out};
  ethernet_header(writer, frame.source, self, kEtherIpv6);
  constexpr std::uint16_t kSize = kSolicitationSize + 8;
  writer.u32(0x60000000);
  writer.u16(kSize);
  writer.u8(kIpIcmp6);
  writer.u8(kHopLimit);
  writer.bytes(target.bytes());
  writer.bytes(source.bytes());
  const std::size_t begin = out.size();
  writer.u8(kAdvertisement);
  writer.u8(0);
  writer.u16(0);
  writer.u32(kRouterSolicitedOverride);
  writer.bytes(target.bytes());
  writer.u8(kTargetLinkLayerAddress);
  writer.u8(1);  // of eight bytes
  writer.bytes(self);
  const std::uint16_t checksum =
      Checksum{}.add_pseudo_header(target, source, kIpIcmp6, kSize).add(ByteView{out}.subspan(begin)).value();
  out[begin + 2] = static_cast<std::uint8_t>(checksum >> 8);
  out[begin + 3] = static_cast<std::uint8_t>(checksum);
  return out;
}

}  // namespace

bool is_neighbour_traffic(const Ethernet& frame) { return frame.type == kEtherArp || is_solicitation(frame); }

std::optional<Buffer> answer_neighbour(const Ethernet& frame, const Mac& self, const Owns& owns) {
  if (frame.type == kEtherArp) return answer_arp(frame, self, owns);
  if (is_solicitation(frame)) return answer_solicitation(frame, self, owns);
  return std::nullopt;
}

Buffer ask_neighbour(const IpAddress& address, const Mac& self) {
  Buffer out;
  ByteWriter writer{out};
  ethernet_header(writer, kBroadcast, self, kEtherArp);
  const std::array<std::uint8_t, 4> nobody{};
  arp_body(writer, kArpRequest, self, nobody, Mac{}, address.bytes());
  return out;
}

}  // namespace pw::lab
