#include "path/path.hpp"

namespace pw::path {

Snapshot Path::snapshot(bool in_use) const {
  return {.path = {name.kind, name.address, liveness.health(), in_use, size.verdict(), rtt.smoothed(), rtt.min(),
                   std::nullopt, since_, last_proof()},
          .jitter = heard.jitter(),
          .last_full_proof = size.passed_at(),
          .mapped = mapped};
}

}  // namespace pw::path
