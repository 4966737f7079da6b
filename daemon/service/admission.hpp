// Who may use a bootstrap or relay, and which clients see one another.
//
// A client belongs to a mesh by a tag, a hash of its name: clients with a tag in common find and reach one another, others
// do not know of one another. In a mesh with secrets the tag is keyed with them, one tag for each that is in force, so that
// nobody can look up a mesh whose name he guessed. A server that admits everybody need not know any name.
#pragma once

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/peer_id.hpp"

namespace pw::service {

enum class AdmissionMode : std::uint8_t { open, allowlist, secret };

/// May change by a reload.
struct Admission {
  AdmissionMode mode = AdmissionMode::allowlist;
  std::string mesh = "default";       // what a proof is made for
  std::unordered_set<PeerId> allowed; // allowlist
  std::unordered_set<PeerId> denied;  // in every mode
  std::vector<Buffer> secrets;        // current first, then previous; each ≥ 32 bytes
};

/// As clients configure it: their mesh, and its secrets if it has any.
std::vector<Digest> mesh_tags(const std::string& mesh, const std::vector<Buffer>& secrets);

/// HMAC-SHA-256(secret, label ‖ exporter ‖ client ‖ server ‖ mesh): worth nothing on another connection (the exporter) nor
/// between peers (the label).
Digest prove(ByteView secret, const Digest& exporter, const PeerId& client, const PeerId& server, const std::string& mesh);

/// What can be said from the key alone.
bool may_try(const Admission& admission, const PeerId& client);
/// What can be said once the client has spoken.
bool admits(const Admission& admission, const PeerId& client, const PeerId& server, const Digest& exporter,
            const std::optional<Digest>& proof);

}  // namespace pw::service
