#include "nat/candidate.hpp"

#include <algorithm>

namespace pw::nat {
namespace {

// RFC 8445 section 5.1.2.2: a peer-reflexive candidate above a server-reflexive one. A mapped port is reflexive too, but
// open to everybody.
constexpr std::uint32_t type_preference(CandidateKind kind) {
  switch (kind) {
    case CandidateKind::host: return 126;
    case CandidateKind::peer_reflexive: return 110;
    case CandidateKind::port_mapped: return 105;
    case CandidateKind::server_reflexive: return 100;
    case CandidateKind::relayed: return 0;
  }
  return 0;
}

bool is_reserved(const IpAddress& ip) {
  const ByteView b = ip.bytes();
  if (ip.family() == Family::v4) return b[0] >= 240;
  if (b[0] == 0xfe && (b[1] & 0xc0) == 0xc0) return true;  // fec0::/10
  const bool zeros = std::all_of(b.begin(), b.begin() + 10, [](std::uint8_t x) { return x == 0; });
  return zeros && ((b[10] == 0xff && b[11] == 0xff) || (b[10] == 0 && b[11] == 0));
}

}  // namespace

std::uint32_t candidate_priority(CandidateKind kind, Family family, unsigned order) {
  constexpr unsigned kMost = 65535;
  const unsigned local = kMost - std::min(2 * std::min(order, kMost) + (family == Family::v4 ? 1U : 0U), kMost);
  constexpr std::uint32_t kComponent = 1;
  return type_preference(kind) << 24 | local << 8 | (256 - kComponent);
}

Refusal refusal_of(const SocketAddress& address) {
  const IpAddress& ip = address.ip;
  const ByteView b = ip.bytes();
  const bool v4 = ip.family() == Family::v4;
  if (address.port == 0) return Refusal::no_port;
  if (ip.is_unspecified() || (v4 && b[0] == 0)) return Refusal::unspecified;
  if (ip.is_loopback()) return Refusal::loopback;
  if (v4 && std::ranges::all_of(b, [](std::uint8_t x) { return x == 255; })) return Refusal::broadcast;
  if (is_reserved(ip)) return Refusal::reserved;
  if (ip.is_multicast()) return Refusal::multicast;
  if (ip.is_link_local()) return Refusal::link_local;
  return Refusal::none;
}

Refusal refusal_of(const SocketAddress& address, const Surroundings& at) {
  if (const Refusal r = refusal_of(address); r != Refusal::none) return r;
  if (std::ranges::find(at.gateways, address.ip) != at.gateways.end()) return Refusal::gateway;
  if (std::ranges::find(at.own, address.ip) != at.own.end()) return Refusal::own;
  if (std::ranges::find(at.mapped, address) != at.mapped.end()) return Refusal::own;
  return Refusal::none;
}

Refusal CandidateList::add_own(const Candidate& candidate, const Surroundings& at) {
  if (const Refusal r = refusal_of(candidate.address, {{}, {}, at.gateways}); r != Refusal::none) return r;
  return add(candidate);
}

Refusal CandidateList::add_theirs(Candidate candidate, const Surroundings& at) {
  if (const Refusal r = refusal_of(candidate.address, at); r != Refusal::none) return r;
  candidate.base = Via::own;
  return add(candidate);
}

Refusal CandidateList::add(const Candidate& candidate) {
  const auto same = std::ranges::find_if(
      all_, [&](const Candidate& c) { return c.address == candidate.address && c.base == candidate.base; });
  if (same != all_.end()) {
    if (same->priority >= candidate.priority) return Refusal::duplicate;
    all_.erase(same);
  }
  if (all_.size() >= kMaxCandidates) return Refusal::too_many;
  const auto place = std::ranges::find_if(all_, [&](const Candidate& c) { return c.priority < candidate.priority; });
  all_.insert(place, candidate);
  return Refusal::none;
}

}  // namespace pw::nat
