#include "path/keys.hpp"

#include <utility>

#include "base/bytes.hpp"

namespace pw::path {
namespace {

constexpr std::size_t kTagBytes = 8;  // in hexadecimal 16 characters

Digest derived(const Exporter& exporter, std::string_view label) { return hmac_sha256(exporter, as_bytes(label)); }

std::string tag(const Exporter& exporter, std::string_view label) {
  const Digest digest = derived(exporter, label);
  return to_hex(ByteView{digest}.first(kTagBytes));
}

}  // namespace

Keys derive_keys(const Exporter& exporter, bool dialled) {
  Keys keys{tag(exporter, "peerwatch check tag, dialler"), tag(exporter, "peerwatch check tag, acceptor"),
            derived(exporter, "peerwatch check key, dialler"), derived(exporter, "peerwatch check key, acceptor")};
  if (!dialled) {
    std::swap(keys.own_tag, keys.peer_tag);
    std::swap(keys.send, keys.receive);
  }
  return keys;
}

}  // namespace pw::path
