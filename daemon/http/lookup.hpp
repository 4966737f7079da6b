// Which peer a person means: a full id, a name, or a unique beginning of an id.
#pragma once

#include <optional>
#include <string_view>

#include "event/snapshot.hpp"
#include "http/message.hpp"

namespace pw::http {

struct Lookup {
  const event::PeerSnapshot* peer = nullptr;  // within the snapshot
  std::optional<PeerId> id;                   // set whenever `peer` is, and for a full id that nobody here has
  unsigned status = 200;                      // 404 or 409 when `peer` is null
  std::string detail;
};

Lookup find_peer(const event::NodeSnapshot& node, std::string_view wanted);

}  // namespace pw::http
