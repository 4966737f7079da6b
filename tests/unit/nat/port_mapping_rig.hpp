// Rig: a PortMapping whose gateway is the test: it reads what is sent and writes the answers.
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "nat/port_mapping.hpp"

namespace pw::nat {

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

inline const SocketAddress kGateway{IpAddress::v4({192, 168, 0, 1}), 5351};
inline constexpr std::uint16_t kPort = 9470;

struct Rig {
  Instant now{std::chrono::hours{1}};
  PortMapping mapping;
  std::uint32_t epoch = 1000;

  explicit Rig(bool upnp = true) : mapping{{.port = kPort, .upnp = upnp}, Rng{1}} { plug(); }
  void plug(std::string_view gateway = "192.168.0.1", std::string_view own = "192.168.0.2") {
    mapping.handle_gateway(now, Gateway{ip(gateway), ip(own)});
  }
  /// The last thing that was sent; empty: nothing was.
  Buffer sent() {
    Buffer last;
    while (auto t = mapping.poll_transmit()) {
      CHECK(t->to == kGateway);
      last = t->bytes;
    }
    return last;
  }
  std::size_t count_sent() {
    std::size_t n = 0;
    while (mapping.poll_transmit()) ++n;
    return n;
  }
  void pass(Duration d) {
    now += d;
    epoch += static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
  }
  /// To the next thing that is due, which happens.
  Duration step() {
    const Instant due = mapping.poll_timeout();
    REQUIRE(due != kNever);
    const Duration d = std::max(due - now, Duration::zero());
    pass(d);
    mapping.handle_timeout(now);
    return d;
  }
  void hear(const Buffer& bytes, const SocketAddress& from = kGateway) { mapping.handle_datagram(now, from, bytes); }

  /// The answer of a PCP server to that request.
  Buffer pcp(Buffer request, std::uint8_t result = 0, std::uint32_t lifetime = 7200,
             const SocketAddress& external = SocketAddress::parse("11.0.0.1:9470").value()) const {
    REQUIRE(request.size() >= 24);
    request[1] |= 0x80;
    request[3] = result;
    Buffer head;
    ByteWriter w{head};
    w.u32(lifetime);
    w.u32(epoch);
    std::copy(head.begin(), head.end(), request.begin() + 4);
    if (request.size() >= 60 && result == 0) {
      request[42] = static_cast<std::uint8_t>(external.port >> 8);
      request[43] = static_cast<std::uint8_t>(external.port);
      const ByteView ip_bytes = external.ip.bytes();
      std::copy(ip_bytes.begin(), ip_bytes.end(), request.end() - static_cast<std::ptrdiff_t>(ip_bytes.size()));
    }
    return request;
  }
  Buffer pmp_header(std::uint8_t opcode, std::uint16_t result) const {
    Buffer out{0, opcode};
    ByteWriter w{out};
    w.u16(result);
    w.u32(epoch);
    return out;
  }
  Buffer pmp_address(std::string_view address = "11.0.0.1") const {
    Buffer out = pmp_header(128, 0);
    ByteWriter{out}.bytes(ip(address).bytes());
    return out;
  }
  Buffer pmp_map(std::uint16_t outer = kPort, std::uint32_t lifetime = 7200, std::uint16_t inner = kPort) const {
    Buffer out = pmp_header(129, 0);
    ByteWriter w{out};
    w.u16(inner);
    w.u16(outer);
    w.u32(lifetime);
    return out;
  }
  void map_by_pcp() {
    hear(pcp(sent()));
    REQUIRE(mapping.mapping());
    REQUIRE(mapping.mapping()->protocol == MappingProtocol::pcp);
  }
  void map_by_nat_pmp() {
    sent();
    hear(pmp_header(129, 1));
    hear(pmp_address());
    hear(pmp_map());
    REQUIRE(mapping.mapping());
    REQUIRE(mapping.mapping()->protocol == MappingProtocol::nat_pmp);
    sent();
  }
  /// Until UPnP is asked for; nobody answers.
  UpnpMap silent_until_upnp() {
    for (int i = 0; i < 20; ++i) {
      if (auto r = mapping.poll_request()) return std::get<UpnpMap>(*r);
      step();
    }
    FAIL("UPnP was never asked for");
    return {};
  }
  MappingReport report(MappingProtocol p) const { return mapping.report(p); }
};
using State = MappingState;
using Error = MappingError;
inline constexpr auto kPcp = MappingProtocol::pcp;
inline constexpr auto kPmp = MappingProtocol::nat_pmp;
inline constexpr auto kUpnp = MappingProtocol::upnp;

}  // namespace pw::nat
