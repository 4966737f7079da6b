#include "http/hall.hpp"

namespace pw::http {

bool Hall::enter(const Client& client) {
  if (client.control) {
    if (control == kMaxControlConnections) return false;
    ++control;
    return true;
  }
  const IpAddress key = client_prefix(client.address);
  const auto found = per_client.find(key);
  if (tcp == kMaxConnections || (found != per_client.end() && found->second == kMaxConnectionsPerClient)) return false;
  ++tcp;
  ++per_client[key];
  return true;
}

void Hall::leave(const Client& client) {
  if (client.control) {
    --control;
    return;
  }
  --tcp;
  const auto found = per_client.find(client_prefix(client.address));
  if (--found->second == 0) per_client.erase(found);
}

}  // namespace pw::http
