// Candidates: transport addresses at which an end may be reached directly (RFC 8445 section 5.1), ours and a peer's; and
// which addresses may never be one. The peer is authenticated, but what it lists is its word alone: every address passes
// refusal_of before anything is sent there.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "event/nat.hpp"

namespace pw::nat {

using namespace std::string_view_literals;
using event::CandidateKind;

struct Candidate {
  CandidateKind kind = CandidateKind::host;
  SocketAddress address;
  Via base = Via::own;         // of ours: what carries packets that leave from it
  std::uint32_t priority = 0;  // section 5.1.2; of a peer's: as the peer said
  bool operator==(const Candidate&) const = default;
};

/// Section 5.1.2.1, component 1. `order`: 0 for the interface that is liked best. At equal order IPv6 goes first.
std::uint32_t candidate_priority(CandidateKind kind, Family family, unsigned order = 0);

using Refusal = event::CandidateRefusal;

/// What this node knows about where it stands.
struct Surroundings {
  std::vector<IpAddress> own;         // of its interfaces
  std::vector<SocketAddress> mapped;  // its own outer addresses: other ports of them may be a peer behind the same NAT
  std::vector<IpAddress> gateways;    // inner addresses
  bool operator==(const Surroundings&) const = default;
};

/// By the address alone.
Refusal refusal_of(const SocketAddress& address);
/// And as a target of packets of ours.
Refusal refusal_of(const SocketAddress& address, const Surroundings& at);

/// How many are taken, of ours as of theirs: each costs a few checks a round.
inline constexpr std::size_t kMaxCandidates = 16;

/// Candidates that passed, the highest priority first; at equal priority in the order of addition.
class CandidateList {
 public:
  /// Ours. Only what is ours to offer is to be added; a gateway's inner address never is.
  Refusal add_own(const Candidate& candidate, const Surroundings& at);
  /// A peer's. Its base is not ours to know: it becomes Via::own. Relayed ones are kept, but never a target of punching.
  Refusal add_theirs(Candidate candidate, const Surroundings& at);
  const std::vector<Candidate>& all() const { return all_; }

 private:
  /// Section 5.1.3: of two with one address and base, the one with the lower priority is redundant.
  Refusal add(const Candidate& candidate);
  std::vector<Candidate> all_;
};

}  // namespace pw::nat
