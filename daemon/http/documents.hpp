// The JSON that the API serves, from one consistent View. A value that was not measured is null.
#pragma once

#include <string>

#include "http/backend.hpp"
#include "http/message.hpp"

namespace pw::http {

std::string status_document(const View& view, const NodeInfo& info, const Readiness& readiness, bool healthy);
std::string peers_document(const View& view);
/// What NATs do to each address family, as measured.
std::string nat_document(const View& view);
std::string peer_document(const View& view, const event::PeerSnapshot& peer);

/// The answer to a command about `peer`; a failure becomes the status that fits it.
Reply command_reply(const event::PeerSnapshot* known, const PeerId& peer, const event::Answer& answer);
Reply reload_reply(const ReloadOutcome& outcome);
Reply ready_reply(const Readiness& readiness);

}  // namespace pw::http
