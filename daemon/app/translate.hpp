// Config → the Options of each room. The only place that knows both.
#pragma once

#include <string>
#include <vector>

#include "base/address.hpp"
#include "config/config.hpp"
#include "http/application.hpp"
#include "http/backend.hpp"
#include "io/identity_file.hpp"
#include "mesh/node.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"
#include "peer/options.hpp"

namespace pw::app {

/// As `peerwatchd --version` prints it, and as Hello tells it.
std::string_view version();

/// node.name, else the host's name.
std::string node_name(const config::Config& config);

/// Peers that it is to have sessions with, and its servers: whom it is of no use without.
std::size_t others(const config::Config& config);
peer::Membership membership(const config::Config& config);
mesh::NatTerms nat_terms(const config::Config& config);
/// `wall`: of this start.
mesh::Options mesh_options(const config::Config& config, const io::IdentitySeed& seed, WallTime wall = {});
observe::MetricsOptions metrics_options(const config::Config& config, const PeerId& self);
http::Policy http_policy(const config::Config& config);
/// `listening`: where the UDP sockets are bound.
http::NodeInfo node_info(const config::Config& config, const std::vector<SocketAddress>& listening);
/// `terminal`: stderr is one. The levels have been validated by config.
observe::LogOptions log_options(const config::Config& config, bool terminal);

}  // namespace pw::app
