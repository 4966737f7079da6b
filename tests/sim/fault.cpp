#include "sim/fault.hpp"

#include <cstdio>

namespace pw::sim {

bool Fault::touches(std::size_t a, std::size_t b) const {
  if (!host) return true;
  if (other) return (*host == a && *other == b) || (*host == b && *other == a);
  return *host == a || *host == b;
}

std::string Fault::to_string() const {
  std::string out{name(kind)};
  if (host) out += " host " + std::to_string(*host);
  if (other) out += " to " + std::to_string(*other);
  if (!router.empty()) out += " at " + router;
  char text[32];
  if (amount != 0) {
    std::snprintf(text, sizeof text, " (%g)", amount);
    out += text;
  }
  std::snprintf(text, sizeof text, " %.3f s", to_seconds(start.time_since_epoch()));
  out += text;
  if (end) {
    std::snprintf(text, sizeof text, " … %.3f s", to_seconds(end->time_since_epoch()));
    out += text;
  }
  return out;
}

}  // namespace pw::sim
