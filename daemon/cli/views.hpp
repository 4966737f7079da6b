// The daemon's JSON as text for people. Every time shown is the daemon's own: its clock and machine may be others.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace pw::cli {

/// The node's two lines and the table of its peers: GET /api/v1/status and /api/v1/peers.
std::string status_view(const nlohmann::ordered_json& status, const nlohmann::ordered_json& peers, bool colours);
std::string peers_view(const nlohmann::ordered_json& peers, bool colours);
/// One peer in full.
std::string peer_view(const nlohmann::ordered_json& peer, bool colours);
/// One event on one line.
std::string event_view(const nlohmann::ordered_json& event, bool colours);
/// A [[peer]] block for the configuration of others.
std::string peer_block(const nlohmann::ordered_json& status);
std::string bandwidth_view(const nlohmann::ordered_json& answer);

}  // namespace pw::cli
