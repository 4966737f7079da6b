#include "service/admission.hpp"

#include <algorithm>

#include "wire/service.hpp"

namespace pw::service {
namespace {

constexpr std::string_view kTagLabel = "peerwatch mesh tag";
constexpr std::string_view kProofLabel = "peerwatch service proof";

}  // namespace

std::vector<Digest> mesh_tags(const std::string& mesh, const std::vector<Buffer>& secrets) {
  Buffer message;
  ByteWriter w{message};
  w.bytes(as_bytes(kTagLabel));
  w.bytes(as_bytes(mesh));
  std::vector<Digest> tags;
  for (const Buffer& secret : secrets)
    if (tags.size() < wire::service::kMaxMeshTags) tags.push_back(hmac_sha256(secret, message));
  if (tags.empty()) tags.push_back(sha256(message));
  return tags;
}

Digest prove(ByteView secret, const Digest& exporter, const PeerId& client, const PeerId& server,
             const std::string& mesh) {
  Buffer message;
  ByteWriter w{message};
  w.bytes(as_bytes(kProofLabel));
  w.bytes(exporter);
  w.bytes(client.key());
  w.bytes(server.key());
  w.bytes(as_bytes(mesh));
  return hmac_sha256(secret, message);
}

bool may_try(const Admission& admission, const PeerId& client) {
  if (admission.denied.contains(client)) return false;
  return admission.mode != AdmissionMode::allowlist || admission.allowed.contains(client);
}

bool admits(const Admission& admission, const PeerId& client, const PeerId& server, const Digest& exporter,
            const std::optional<Digest>& proof) {
  if (!may_try(admission, client)) return false;
  if (admission.mode != AdmissionMode::secret) return true;
  if (!proof) return false;
  bool good = false;  // all are tried, so that time tells nothing about which
  for (const Buffer& secret : admission.secrets)
    good |= equal_secret(prove(secret, exporter, client, server, admission.mesh), *proof);
  return good;
}

}  // namespace pw::service
