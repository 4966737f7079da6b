#include "peer/admission.hpp"

#include <algorithm>

namespace pw::peer {

using event::AdmissionRefusal;

std::optional<AdmissionRefusal> judge_key(const PeerId& peer, const PeerId& self, const Membership& membership,
                                          bool listed) {
  if (peer == self) return AdmissionRefusal::self;
  if (std::ranges::find(membership.deny, peer) != membership.deny.end()) return AdmissionRefusal::denied;
  if (membership.admission == AdmissionMode::allowlist && !listed) return AdmissionRefusal::not_allowlisted;
  return std::nullopt;
}

Digest prove(ByteView secret, const ProofInput& input) {
  Buffer message;
  ByteWriter w{message};
  w.bytes(input.exporter);
  w.u8(static_cast<std::uint8_t>(input.role));
  w.bytes(input.dialler.key());
  w.bytes(input.acceptor.key());
  w.bytes(as_bytes(input.mesh));
  return hmac_sha256(secret, message);
}

std::optional<std::size_t> verify(const Membership& membership, const ProofInput& input, ByteView proof) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < membership.secrets.size(); ++i)
    if (equal_secret(prove(membership.secrets[i], input), proof) && !found) found = i;
  return found;
}

}  // namespace pw::peer
