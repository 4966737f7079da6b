#include "nat/port_mapping.hpp"

#include <algorithm>

#include "base/taken.hpp"

namespace pw::nat {
namespace {

// RFC 6887 section 8.1.1.
constexpr Duration kPcpFirst = 3s;       // IRT
constexpr Duration kPcpLongest = 1024s;  // MRT
// RFC 6886 section 3.1.
constexpr Duration kPmpFirst = 250ms;
constexpr Duration kPmpLongest = 64s;
// A gateway is on the same link: who has not answered so often in 9 s (PCP) and 8 s (NAT-PMP) does not speak it. The RFCs
// would ask for ever and for two minutes, and UPnP would wait for it.
constexpr unsigned kPcpDiscovery = 2;
constexpr unsigned kPmpDiscovery = 5;
// Rounds of all protocols that gave nothing: after 30 s, 1 min … 1 h, so that a gateway that starts is met early and a
// silent one costs next to nothing.
constexpr Duration kRetryFirst = 30s;
constexpr Duration kRetryLongest = 1h;

std::uint32_t seconds(Duration d) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
}

}  // namespace

PortMapping::PortMapping(Options options, Rng rng) : options_{options}, rng_{std::move(rng)} {}

// ---- rounds

void PortMapping::handle_gateway(Instant now, const std::optional<Gateway>& gateway) {
  if (phase_ == Phase::released || gateway == gateway_) return;
  // What was mapped at the old one is out of reach with it, and ends by itself.
  gateway_ = gateway;
  mapping_.reset();
  reports_ = {};
  clear_timers();
  phase_ = Phase::idle;
  pcp_not_before_ = {};
  retry_after_ = kRetryFirst;
  // One that was away for a while still has our lease, and knows it by its nonce (RFC 6887 section 11.3).
  if (gateway_ && gateway_ != last_gateway_) rng_.fill(nonce_);
  if (gateway_) last_gateway_ = gateway_;
  ++upnp_id_;  // an answer of the old one's is nobody's
  if (gateway_ && gateway_->address.family() == gateway_->own.family()) start_round(now);
}

void PortMapping::start_round(Instant now) { try_from(now, 0); }

void PortMapping::try_from(Instant now, std::size_t protocol) {
  clear_timers();
  mapping_.reset();
  epoch_.reset();
  while (protocol < enum_count<MappingProtocol>() && !usable(now, static_cast<MappingProtocol>(protocol))) ++protocol;
  if (protocol == enum_count<MappingProtocol>()) {
    phase_ = Phase::waiting;
    retry_at_ = now + retry_after_ + rng_.up_to(retry_after_ / 10);
    retry_after_ = std::min(2 * retry_after_, kRetryLongest);
    return;
  }
  phase_ = Phase::asking;
  protocol_ = static_cast<MappingProtocol>(protocol);
  conflicts_ = 0;
  switch (protocol_) {
    case MappingProtocol::pcp: return ask(now, Ask::Purpose::discover, true);
    case MappingProtocol::nat_pmp: return ask(now, Ask::Purpose::discover, false);
    case MappingProtocol::upnp: return ask_upnp(Ask::Purpose::discover, options_.port);
  }
}

bool PortMapping::usable(Instant now, MappingProtocol protocol) const {
  switch (protocol) {
    case MappingProtocol::pcp: return now >= pcp_not_before_;
    case MappingProtocol::nat_pmp: return gateway_->own.family() == Family::v4;
    case MappingProtocol::upnp: return gateway_->own.family() == Family::v4 && options_.upnp;
  }
  return false;
}

void PortMapping::clear_timers() {
  ask_.reset();
  retry_at_ = check_at_ = recover_at_ = kNever;
}

void PortMapping::give_up(Instant now, MappingError error) {
  report() = {state_of(error), error};
  try_from(now, static_cast<std::size_t>(protocol_) + 1);
}

// ---- asking

void PortMapping::ask(Instant now, Ask::Purpose purpose, bool map) {
  ask_ = Ask{purpose, map};
  send(now);
}

void PortMapping::send(Instant now) {
  Ask& a = *ask_;
  const bool pcp = protocol_ == MappingProtocol::pcp;
  const SocketAddress wanted = mapping_ ? mapping_->external
                                        : SocketAddress{IpAddress::any(gateway_->own.family()), options_.port};
  Buffer bytes;
  if (pcp && a.map)
    bytes = pcp::encode_map({gateway_->own, nonce_, options_.port, wanted, seconds(options_.lifetime)});
  else if (pcp)
    bytes = pcp::encode_announce(gateway_->own);
  else if (a.map)
    bytes = nat_pmp::encode_map(options_.port, wanted.port, seconds(options_.lifetime));
  else
    bytes = nat_pmp::encode_address_request();
  transmits_.push_back({{gateway_->address, kGatewayPort}, std::move(bytes)});
  ++a.sent;
  if (a.purpose == Ask::Purpose::renew) {
    a.next = std::max(renewal(a.sent + 1), now + kApart);
    return;
  }
  // A check is what notices that a gateway is back: so late at most.
  const Duration longest = pcp && a.map ? kPcpLongest : kPmpLongest;
  a.interval = a.sent == 1 ? (pcp ? kPcpFirst : kPmpFirst) : std::min(2 * a.interval, longest);
  // RFC 6887 section 8.1.1: "RAND … uniform distribution between -0.1 and +0.1"
  if (pcp) a.interval = a.interval - a.interval / 10 + rng_.up_to(a.interval / 5);
  a.next = now + a.interval;
}

/// Only a first mapping is. A renewal goes on until the mapping expires; a check, to meet the gateway when it is back.
bool PortMapping::given_up() const {
  const unsigned attempts = protocol_ == MappingProtocol::pcp ? kPcpDiscovery : kPmpDiscovery;
  return ask_->purpose == Ask::Purpose::discover && ask_->sent >= attempts;
}

/// RFC 6887 section 11.2.1: the first between 1/2 and 5/8 of the lifetime, the next between 3/4 and 3/4 + 1/16, and so on.
Instant PortMapping::renewal(unsigned attempt) {
  const Duration left = mapping_->lifetime / (std::int64_t{1} << std::min(attempt, 30U));
  return mapping_->expires - left + rng_.up_to(left / 4);
}

void PortMapping::ask_upnp(Ask::Purpose purpose, std::uint16_t wanted_port) {
  ask_ = Ask{purpose};
  requests_.push_back(UpnpMap{++upnp_id_, gateway_->address, {gateway_->own, options_.port}, wanted_port, kUpnpLifetime});
}

void PortMapping::unmap() {
  const SocketAddress to{gateway_->address, kGatewayPort};
  switch (protocol_) {
    case MappingProtocol::pcp: {
      const SocketAddress any{IpAddress::any(gateway_->own.family()), 0};
      transmits_.push_back({to, pcp::encode_map({gateway_->own, nonce_, options_.port, any, 0})});
      break;
    }
    case MappingProtocol::nat_pmp: transmits_.push_back({to, nat_pmp::encode_map(options_.port, 0, 0)}); break;
    case MappingProtocol::upnp:
      if (mapping_) requests_.push_back(UpnpUnmap{gateway_->address, mapping_->external.port});
  }
}

// ---- what is held

void PortMapping::handle_verified(Instant now, const SocketAddress& external, bool reachable) {
  if (phase_ != Phase::holding || mapping_->external != external) return;
  if (!reachable) {
    unmap();
    return give_up(now, MappingError::unreachable);
  }
  mapping_->verified = true;
  retry_after_ = kRetryFirst;
  report() = {MappingState::mapped, MappingError::none};
}

// ---- time and commands

void PortMapping::handle_timeout(Instant now) {
  if (phase_ == Phase::holding && now >= mapping_->expires) {
    report() = {MappingState::unavailable, MappingError::no_answer};
    return start_round(now);
  }
  if (now >= retry_at_) return start_round(now);
  if (ask_ && now >= ask_->next) {
    if (given_up()) return give_up(now, MappingError::no_answer);
    send(now);
  }
  if (phase_ != Phase::holding) return;
  const bool upnp = protocol_ == MappingProtocol::upnp;
  if (now >= recover_at_) {
    recover_at_ = mapping_->renew_at = kNever;
    ask(now, Ask::Purpose::recover, true);
  } else if (now >= mapping_->renew_at) {
    mapping_->renew_at = kNever;
    if (upnp)
      ask_upnp(Ask::Purpose::renew, mapping_->external.port);
    else
      ask(now, Ask::Purpose::renew, true);
  } else if (now >= check_at_) {
    check_at_ = kNever;
    if (!ask_) ask(now, Ask::Purpose::check, false);
  }
}

void PortMapping::check(Instant now) {
  if (phase_ == Phase::waiting) return start_round(now);
  if (phase_ != Phase::holding || (ask_ && ask_->purpose != Ask::Purpose::check)) return;
  if (protocol_ == MappingProtocol::upnp) {
    mapping_->renew_at = kNever;
    return ask_upnp(Ask::Purpose::renew, mapping_->external.port);
  }
  check_at_ = kNever;
  ask(now, Ask::Purpose::check, false);
}

void PortMapping::release(Instant) {
  if (phase_ == Phase::asking || phase_ == Phase::holding) unmap();
  mapping_.reset();
  reports_ = {};
  clear_timers();
  phase_ = Phase::released;
}

// ---- polls

std::optional<MappingTransmit> PortMapping::poll_transmit() {
  return taken(transmits_);
}

std::optional<MappingRequest> PortMapping::poll_request() {
  return taken(requests_);
}

Instant PortMapping::poll_timeout() const {
  Instant at = earlier(earlier(retry_at_, check_at_), recover_at_);
  if (ask_) at = earlier(at, ask_->next);
  if (mapping_) at = earlier(at, earlier(mapping_->expires, mapping_->renew_at));
  return at;
}

}  // namespace pw::nat
