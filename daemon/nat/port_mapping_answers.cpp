// PortMapping: what comes back from the gateway, and what becomes of it.
#include <algorithm>

#include "nat/port_mapping.hpp"

namespace pw::nat {
namespace {

constexpr Duration kRecoverWithin = 5s;      // RFC 6886 section 3.7: not everybody at once
constexpr Duration kShortestLifetime = 10s;  // no gateway makes this node ask much more often than every 5 s
constexpr Duration kLongestLifetime = 24h;   // RFC 6887 section 15: "a more sane value (e.g., 24 hours)"
constexpr Duration kLongestRefusal = 1h;     // of PCP; a gateway that was set up anew is met within that time
// Outer ports that UPnP tries when the wanted one belongs to somebody else.
constexpr unsigned kUpnpPorts = 4;
constexpr std::uint16_t kFirstEphemeral = 49152;

bool passes(MappingError error) {
  return error == MappingError::network_failure || error == MappingError::no_resources ||
         error == MappingError::no_answer;
}

/// WANIPConnection:2 section 2.5, UPnP Device Architecture section 3.2.2.
MappingError upnp_error(int code) {
  switch (code) {
    case 0: return MappingError::none;
    case kUpnpNoGateway: return MappingError::no_answer;
    case 401:
    case 602: return MappingError::unsupported;
    case 402: return MappingError::malformed;
    case 606: return MappingError::not_authorised;
    case 718: return MappingError::conflict;
    case 728: return MappingError::no_resources;
    default: return MappingError::other;
  }
}

}  // namespace

void PortMapping::handle_datagram(Instant now, const SocketAddress& from, ByteView bytes) {
  if (!gateway_ || from != SocketAddress{gateway_->address, kGatewayPort}) return count(AnswerFault::wrong_source);
  if ((phase_ != Phase::asking && phase_ != Phase::holding) || protocol_ == MappingProtocol::upnp)
    return count(AnswerFault::unasked);
  if (protocol_ == MappingProtocol::pcp)
    handle_pcp(now, bytes);
  else
    handle_nat_pmp(now, bytes);
}

void PortMapping::handle_pcp(Instant now, ByteView bytes) {
  const auto r = pcp::decode(bytes);
  if (!r) return count(r.error());
  using Kind = pcp::Response::Kind;
  const bool asked_map = ask_ && ask_->map;
  if (r->kind == Kind::other_version) return ask_ ? give_up(now, r->error) : count(AnswerFault::unasked);
  if (r->kind == Kind::announce) {  // also unasked for: a gateway announces that it started
    if (phase_ == Phase::asking) return count(AnswerFault::wrong_opcode);
    if (hear(now, r->epoch)) recover_soon(now);
    return check_done(now);
  }
  if (!asked_map) return count(AnswerFault::unasked);
  if (r->nonce != nonce_) return count(AnswerFault::wrong_nonce);
  if (!r->udp || r->inner_port != options_.port) return count(AnswerFault::wrong_port);
  const bool restarted = hear(now, r->epoch);
  if (r->error != MappingError::none) {
    pcp_not_before_ = now + std::min<Duration>(std::chrono::seconds{r->lifetime}, kLongestRefusal);
    return denied(now, r->error);
  }
  granted(now, r->external, std::chrono::seconds{r->lifetime}, restarted);
}

void PortMapping::handle_nat_pmp(Instant now, ByteView bytes) {
  const auto r = nat_pmp::decode(bytes);
  if (!r) return count(r.error());
  if (r->error == MappingError::unsupported_version)
    return ask_ ? give_up(now, r->error) : count(AnswerFault::unasked);
  if (r->kind == nat_pmp::Response::Kind::address) return handle_outer_address(now, *r);
  if (!ask_ || !ask_->map) return count(ask_ ? AnswerFault::wrong_opcode : AnswerFault::unasked);
  if (r->error != MappingError::none) return denied(now, r->error);
  if (r->inner_port != options_.port) return count(AnswerFault::wrong_port);
  const bool restarted = hear(now, r->epoch);
  granted(now, {outer_ip_, r->outer_port}, std::chrono::seconds{r->lifetime}, restarted);
  // It may have another address since.
  if (restarted && phase_ == Phase::holding) check(now);
}

void PortMapping::handle_outer_address(Instant now, const nat_pmp::Response& r) {
  if (phase_ == Phase::asking && ask_->map) return count(AnswerFault::wrong_opcode);
  const bool restarted = hear(now, r.epoch);
  if (r.error != MappingError::none) {
    if (phase_ == Phase::asking) return give_up(now, r.error);
    return check_done(now);  // what is mapped may outlast its trouble
  }
  const bool moved = outer_ip_ != r.address;
  outer_ip_ = r.address;
  if (!is_public(outer_ip_)) {
    count(AnswerFault::not_public);
    if (phase_ == Phase::holding) unmap();
    return give_up(now, MappingError::not_public);
  }
  if (phase_ == Phase::asking) return ask(now, Ask::Purpose::discover, true);
  if (restarted || moved) recover_soon(now);
  check_done(now);
}

void PortMapping::handle_upnp(Instant now, const UpnpResult& result) {
  if (result.id != upnp_id_) return;
  if (protocol_ != MappingProtocol::upnp || !ask_) {  // too late: nobody wants it any more
    if (result.code == 0 && gateway_) requests_.push_back(UpnpUnmap{gateway_->address, result.external.port});
    return;
  }
  const MappingError error = upnp_error(result.code);
  if (error == MappingError::none) {
    const bool for_good = result.lifetime == Duration::zero();  // asked for again nevertheless: gateways restart
    return granted(now, result.external, for_good ? kUpnpLifetime : result.lifetime, false);
  }
  if (error == MappingError::conflict && ++conflicts_ < kUpnpPorts) {
    const auto port = static_cast<std::uint16_t>(kFirstEphemeral + rng_.below(65536U - kFirstEphemeral));
    return ask_upnp(ask_->purpose, port);
  }
  if (phase_ == Phase::holding && passes(error)) {
    ask_.reset();
    mapping_->renew_at = now + std::max((mapping_->expires - now) / 2, kApart);
    return;
  }
  give_up(now, error);
}

// ---- what becomes of it

bool PortMapping::hear(Instant now, std::uint32_t epoch) {
  const EpochSample sample{now, epoch};
  const bool restarted = epoch_ && (protocol_ == MappingProtocol::pcp ? pcp::restarted(*epoch_, sample)
                                                                      : nat_pmp::restarted(*epoch_, sample));
  epoch_ = sample;
  return restarted;
}

void PortMapping::recover_soon(Instant now) {
  if (recover_at_ == kNever) recover_at_ = now + rng_.up_to(kRecoverWithin);
}

void PortMapping::check_done(Instant now) {
  if (ask_ && ask_->purpose == Ask::Purpose::check) ask_.reset();
  check_at_ = protocol_ == MappingProtocol::upnp ? kNever : now + options_.check_every;
}

Duration PortMapping::clamp_lifetime(Duration lifetime) {
  if (lifetime < kShortestLifetime) count(AnswerFault::short_lifetime);
  if (lifetime > kLongestLifetime) count(AnswerFault::long_lifetime);
  return std::clamp(lifetime, kShortestLifetime, kLongestLifetime);
}

void PortMapping::granted(Instant now, const SocketAddress& external, Duration lifetime, bool restarted) {
  const bool there = is_public(external.ip);
  if (!there || external.port == 0) {
    count(there ? AnswerFault::no_port : AnswerFault::not_public);
    unmap();  // it is of no use
    return give_up(now, there ? MappingError::bad_port : MappingError::not_public);
  }
  const bool same = mapping_ && mapping_->external == external && !restarted && ask_->purpose == Ask::Purpose::renew;
  lifetime = clamp_lifetime(lifetime);
  mapping_ = Mapping{protocol_, external, lifetime, now + lifetime, kNever, same && mapping_->verified};
  clear_timers();
  phase_ = Phase::holding;
  conflicts_ = 0;
  mapping_->renew_at = renewal(1);
  check_done(now);
  report() = {mapping_->verified ? MappingState::mapped : MappingState::unverified, MappingError::none};
}

void PortMapping::denied(Instant now, MappingError error) {
  // What the gateway cannot give now it may still have: the mapping stays until it expires.
  if (ask_->purpose == Ask::Purpose::renew && passes(error)) return;
  give_up(now, error);
}

}  // namespace pw::nat
