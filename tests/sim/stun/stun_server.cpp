#include "sim/stun/stun_server.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::net {
namespace {

constexpr int kUnknownAttribute = 420;
constexpr std::uint16_t kChangeRequestType = 0x0003;
constexpr std::uint16_t kResponsePortType = 0x0027;

std::vector<IpAddress> addresses_of(const Machine& machine, Family family) {
  std::vector<IpAddress> out;
  for (const Interface* interface : machine.interfaces())
    for (const IpAddress& address : interface->addresses)
      if (address.family() == family) out.push_back(address);
  return out;
}

}  // namespace

StunServer::StunServer(Machine& machine, Family family, StunServerOptions options)
    : machine_{machine}, options_{options} {
  const auto own = addresses_of(machine, family);
  PW_CHECK(own.size() >= (options_.behaviour_discovery ? 2U : 1U));
  std::copy_n(own.begin(), std::min<std::size_t>(own.size(), 2), addresses_.begin());
  PW_CHECK(machine_.open(*this, options_.primary_port).has_value());
  if (options_.behaviour_discovery) PW_CHECK(machine_.open(*this, options_.alternate_port).has_value());
}

StunServer::~StunServer() { machine_.kill(*this); }

std::uint16_t StunServer::other_port(std::uint16_t port) const {
  return port == options_.primary_port ? options_.alternate_port : options_.primary_port;
}
IpAddress StunServer::other_ip(const IpAddress& ip) const { return ip == addresses_[0] ? addresses_[1] : addresses_[0]; }

void StunServer::handle_arrival(Instant, const Arrival& arrival) {
  const auto request = decode_stun(arrival.bytes);
  if (!request || request->kind != StunMessage::Class::request) {
    ++ignored_;
    return;
  }
  // Da and Dp, Sa and Sp of RFC 5780 table 1.
  const SocketAddress asked{arrival.path.local, arrival.port};
  SocketAddress from = asked;
  SocketAddress to = arrival.path.remote;
  StunMessage answer;
  answer.id = request->id;
  answer.fingerprint = request->fingerprint;

  answer.unknown_attributes = request->not_understood;
  if (!options_.behaviour_discovery) {
    if (request->change) answer.unknown_attributes.push_back(kChangeRequestType);
    if (request->response_port) answer.unknown_attributes.push_back(kResponsePortType);
  }
  if (!answer.unknown_attributes.empty()) {
    answer.kind = StunMessage::Class::error;
    answer.error = StunError{kUnknownAttribute, "Unknown Attribute"};
  } else {
    answer.kind = StunMessage::Class::success;
    answer.mapped = answer.xor_mapped = arrival.path.remote;
    if (options_.behaviour_discovery) {
      const auto change = request->change.value_or(ChangeRequest{});
      if (change.ip) from.ip = other_ip(asked.ip);
      if (change.port) from.port = other_port(asked.port);
      to.port = request->response_port.value_or(to.port);
      answer.response_origin = from;
      answer.other_address = SocketAddress{other_ip(asked.ip), other_port(asked.port)};  // Ca and Cp
    }
  }
  ++answered_;
  machine_.send(from.port, {from.ip, to}, encode(answer));
}

}  // namespace pw::net
