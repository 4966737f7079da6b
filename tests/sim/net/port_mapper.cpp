#include "sim/net/port_mapper.hpp"

#include <algorithm>

namespace pw::net {
namespace {

// What the two lies about addresses say. The one looks truly public, the other is private; no network uses them.
constexpr IpAddress kElsewhere = IpAddress::v4({11, 255, 255, 254});
constexpr IpAddress kBehind = IpAddress::v4({10, 254, 254, 254});
// "Long before the lifetime that it granted": sooner than at half of it, when clients renew.
constexpr int kForgetsAfter = 8;
// Leases of all hosts: far more than any scenario has, few enough that looking through them all at a request is nothing.
constexpr std::size_t kMaxLeases = 4096;

}  // namespace

PortMapper::PortMapper(PortMapperOptions options) : options_{options} {}

void PortMapper::reboot(Instant now) {
  epoch_ = now;
  leases_.clear();
}

std::uint32_t PortMapper::epoch(Instant now) const {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now - epoch_).count());
}

std::optional<Buffer> PortMapper::answer(Instant now, const SocketAddress& from, ByteView request, NatBox* nat) {
  // Both protocols: a version, then an opcode whose top bit marks a response. "If the opcode in the request is 128 or
  // greater, then this is not a request; it's a response, and the NAT gateway MUST silently ignore it" (RFC 6886
  // section 3.5); RFC 6887 section 8.2 says the same.
  if (request.size() < 2 || (request[1] & 0x80) != 0) return std::nullopt;
  // RFC 6887 appendix A: version 0 is NAT-PMP. What knows one protocol only tells the other's clients so in its own
  // form, in which they find their code for "unsupported version" where they look for it.
  const bool pmp = options_.nat_pmp && (request[0] == 0 || !options_.pcp);
  if (pmp) return answer_nat_pmp(now, from.ip, request, nat);
  if (options_.pcp) return answer_pcp(now, from.ip, request, nat);
  return std::nullopt;
}

// ---- leases

void PortMapper::forget_expired(Instant now) {
  std::erase_if(leases_, [&](const auto& lease) { return lease.second.expires <= now; });
}

PortMapper::Lease* PortMapper::find(Instant now, const Key& key) {
  forget_expired(now);
  const auto found = leases_.find(key);
  return found != leases_.end() ? &found->second : nullptr;
}

IpAddress PortMapper::told_address(const NatBox& nat) const {
  if (options_.lie == MapperLie::wrong_address) return kElsewhere;
  if (options_.lie == MapperLie::private_address) return kBehind;
  return nat.addresses().front();
}

PortMapper::Grant PortMapper::grant(Instant now, const Wish& wish, NatBox* nat) {
  if (options_.refuses) return {Outcome::refused, {}};
  if (nat == nullptr || wish.inner.ip.family() == Family::v6) {
    if (wish.exact && wish.port != wish.inner.port) return {Outcome::other_port, {}};
    return {Outcome::granted, wish.inner};
  }
  const Key key{wish.inner, wish.protocol};
  const bool renewal = find(now, key) != nullptr;
  if (!renewal) {
    const auto of_host = std::ranges::count(leases_, wish.inner.ip, [](const auto& l) { return l.first.first.ip; });
    if (static_cast<std::size_t>(of_host) >= options_.max_mappings_per_host) return {Outcome::quota, {}};
    if (leases_.size() >= kMaxLeases) return {Outcome::no_room, {}};
  }
  std::uint16_t port = wish.port != 0 ? wish.port : wish.inner.port;
  if (renewal && !wish.exact) port = leases_[key].port;
  if (options_.lie != MapperLie::maps_nothing) {
    const bool forgets = options_.lie == MapperLie::forgets;
    const Duration kept = forgets ? std::min(wish.lifetime, options_.max_lifetime) / kForgetsAfter : wish.lifetime;
    const bool wrong = options_.lie == MapperLie::wrong_port;
    const auto above = static_cast<std::uint16_t>(port == 65535 ? 1024 : port + 1);
    const auto mapped = nat->map(now, wish.inner, wish.protocol, wrong ? above : port, saturating_add(now, kept));
    if (!mapped) return {Outcome::no_room, {}};
    if (!wrong && wish.exact && mapped->port != port) {
      if (!renewal) nat->unmap(wish.inner, wish.protocol);
      return {Outcome::other_port, {}};
    }
    if (!wrong) port = mapped->port;
  }
  Lease& lease = leases_[key];
  lease.port = port;
  if (wish.nonce) lease.nonce = wish.nonce;
  lease.expires = saturating_add(now, wish.lifetime);
  return {Outcome::granted, {told_address(*nat), port}};
}

void PortMapper::release(const Key& key, NatBox* nat) {
  if (leases_.erase(key) != 0 && nat != nullptr) nat->unmap(key.first, key.second);
}

// ---- UPnP IGD: WANIPConnection:2, sections 2.5.15 to 2.5.18

Result<IpAddress> PortMapper::external_address(NatBox* nat) const {
  if (!options_.upnp) return fail("no gateway answers");
  if (nat == nullptr) return fail("501 ActionFailed");
  return told_address(*nat);
}

Status PortMapper::add_mapping(Instant now, const IpAddress& host, std::uint16_t inner_port, std::uint16_t outer_port,
                               Protocol protocol, Duration lifetime, NatBox* nat) {
  if (!options_.upnp) return fail("no gateway answers");
  if (nat == nullptr || host.family() == Family::v6) return fail("501 ActionFailed");
  if (outer_port == 0) return fail("716 WildCardNotPermittedInExtPort");
  if (inner_port == 0) return fail("732 WildCardNotPermittedInIntPort");
  const Duration kept = lifetime == Duration::zero() ? Duration::max() : lifetime;
  switch (grant(now, {{host, inner_port}, protocol, outer_port, true, kept, {}}, nat).outcome) {
    case Outcome::granted: return {};
    case Outcome::refused: return fail("606 Action not authorized");
    case Outcome::quota:
    case Outcome::no_room: return fail("728 NoPortMapsAvailable");
    case Outcome::other_port: return fail("718 ConflictInMappingEntry");
  }
  return fail("501 ActionFailed");
}

Status PortMapper::delete_mapping(Instant now, std::uint16_t outer_port, Protocol protocol, NatBox* nat) {
  if (!options_.upnp) return fail("no gateway answers");
  forget_expired(now);
  const auto found = std::ranges::find_if(leases_, [&](const auto& lease) {
    return lease.first.second == protocol && lease.second.port == outer_port;
  });
  if (found == leases_.end()) return fail("714 NoSuchEntryInArray");
  release(Key{found->first}, nat);
  return {};
}

}  // namespace pw::net
