// What `peerwatch netcheck` shows of GET /api/v1/nat.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace pw::cli {

std::string netcheck_view(const nlohmann::ordered_json& nat, bool colours);
/// No family is known to pass UDP, and of one it is known that it does not.
bool udp_blocked(const nlohmann::ordered_json& nat);

}  // namespace pw::cli
