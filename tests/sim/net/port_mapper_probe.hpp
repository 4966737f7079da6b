// What tests of PortMapper ask it: datagrams as a client of NAT-PMP and of PCP writes and reads them.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <optional>

#include "sim/net/nat_probe.hpp"
#include "sim/net/port_mapper.hpp"

namespace pw::net {

struct MapperProbe {
  NatProbe nat;
  PortMapper mapper;
  Instant& now = nat.now;
  bool translates = true;

  explicit MapperProbe(PortMapperOptions options, NatOptions nat_options = {})
      : nat{nat_options, {"11.0.0.1"}}, mapper{options} {
    mapper.reboot(now);
  }

  NatBox* box() { return translates ? &nat.box : nullptr; }
  std::optional<Buffer> ask(const Buffer& request, std::string_view from = "192.168.0.2:40000") {
    return mapper.answer(now, at(from), request, box());
  }
  /// Whom a packet from a stranger to that outer port reaches.
  std::string reaches(std::uint16_t port) { return nat.in("9.0.0.1:80", "11.0.0.1:" + std::to_string(port)); }
};

// ---- NAT-PMP
struct PmpReply {
  int version = -1;
  int opcode = -1;
  int result = -1;
  std::uint32_t epoch = 0;
  std::uint16_t inner = 0;
  std::uint16_t outer = 0;
  std::uint32_t lifetime = 0;
};
inline Buffer pmp_map(std::uint8_t opcode, std::uint16_t inner, std::uint16_t outer, std::uint32_t lifetime) {
  Buffer out{0, opcode, 0, 0};
  ByteWriter w{out};
  w.u16(inner);
  w.u16(outer);
  w.u32(lifetime);
  return out;
}
inline PmpReply read_pmp(const std::optional<Buffer>& reply) {
  PmpReply out;
  if (!reply) return out;
  ByteReader r{*reply};
  out.version = r.u8();
  out.opcode = r.u8();
  out.result = r.u16();
  out.epoch = r.u32();
  if (r.remaining() == 8) {
    out.inner = r.u16();
    out.outer = r.u16();
    out.lifetime = r.u32();
  }
  return out;
}

// ---- PCP
struct PcpMap {
  std::uint8_t version = 2;
  std::uint8_t opcode = 1;
  std::uint32_t lifetime = 3600;
  std::string client = "192.168.0.2";
  std::uint8_t nonce = 7;  // in each of its bytes
  std::uint8_t protocol = 17;
  std::uint16_t inner = 5000;
  std::uint16_t outer = 0;
  std::string address = "::";
  Buffer options;

  static void write(ByteWriter& w, const std::string& text) {
    const IpAddress ip = IpAddress::parse(text).value();
    if (ip.family() == Family::v4) {
      w.zeros(10);
      w.u16(0xffff);
    }
    w.bytes(ip.bytes());
  }
  Buffer bytes() const {
    Buffer out;
    ByteWriter w{out};
    w.u8(version);
    w.u8(opcode);
    w.u16(0);
    w.u32(lifetime);
    write(w, client);
    if (opcode == 0) return out;
    for (int i = 0; i < 12; ++i) w.u8(nonce);
    w.u8(protocol);
    w.zeros(3);
    w.u16(inner);
    w.u16(outer);
    write(w, address);
    w.bytes(options);
    return out;
  }
};
struct PcpReply {
  int version = -1;
  int opcode = -1;
  int result = -1;
  std::uint32_t lifetime = 0;
  std::uint32_t epoch = 0;
  int nonce = -1;
  int protocol = -1;
  std::uint16_t inner = 0;
  std::uint16_t outer = 0;
  std::string address;
  std::size_t size = 0;
};
inline PcpReply read_pcp(const std::optional<Buffer>& reply) {
  PcpReply out;
  if (!reply) return out;
  out.size = reply->size();
  ByteReader r{*reply};
  out.version = r.u8();
  out.opcode = r.u8();
  r.u8();
  out.result = r.u8();
  out.lifetime = r.u32();
  out.epoch = r.u32();
  r.bytes(12);
  if (r.remaining() < 36) return out;
  out.nonce = r.bytes(12)[11];
  out.protocol = r.u8();
  r.bytes(3);
  out.inner = r.u16();
  out.outer = r.u16();
  const ByteView ip = r.bytes(16);
  const bool four = ip[10] == 0xff && ip[11] == 0xff && ip[0] == 0;
  std::array<std::uint8_t, 16> all{};
  std::copy(ip.begin(), ip.end(), all.begin());
  out.address = four ? IpAddress::v4({ip[12], ip[13], ip[14], ip[15]}).to_string() : IpAddress::v6(all).to_string();
  return out;
}

}  // namespace pw::net
