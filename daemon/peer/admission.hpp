// Who may join. TLS accepts any key that proves itself; this decides what the key is allowed.
// allowlist: by PeerId, at once. secret: by HMAC-SHA-256 over the TLS exporter, so that a proof is worth nothing on any
// other connection. A denied key is refused in both.
#pragma once

#include <array>
#include <optional>

#include "base/digest.hpp"
#include "base/peer_id.hpp"
#include "event/vocabulary.hpp"
#include "peer/options.hpp"

namespace pw::peer {

/// What can be said from the key alone. `listed`: configured here, or added by an operator.
std::optional<event::AdmissionRefusal> judge_key(const PeerId& peer, const PeerId& self, const Membership& membership,
                                                 bool listed);

enum class Role : std::uint8_t { dialler = 'd', acceptor = 'a' };

struct ProofInput {
  const std::array<std::uint8_t, 32>& exporter;
  Role role;  // of whoever proves
  const PeerId& dialler;
  const PeerId& acceptor;
  const std::string& mesh;
};
Digest prove(ByteView secret, const ProofInput& input);
/// The index of the secret that explains `proof`, or none. Tries all, so that time tells nothing about which.
std::optional<std::size_t> verify(const Membership& membership, const ProofInput& input, ByteView proof);

}  // namespace pw::peer
