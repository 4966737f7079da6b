// What the peer room is told at start (Options) and at every reload (Membership).
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "event/command.hpp"
#include "event/service.hpp"
#include "probe/options.hpp"

namespace pw::peer {

enum class AdmissionMode : std::uint8_t { allowlist, secret };

/// Who may be a peer. Everything here may change by a reload.
struct Membership {
  std::string mesh = "default";
  AdmissionMode admission = AdmissionMode::allowlist;
  std::vector<Buffer> secrets;  // current first, then previous; each ≥ 32 bytes
  std::vector<PeerId> deny;
  std::vector<event::PeerSpec> peers;
  std::unordered_map<PeerId, event::DiscoveryMethod> discovered;  // of `peers`, those that no configuration lists: how they are known
  probe::Options probe;
  std::vector<event::ServerSpec> servers;  // bootstraps and relays of this node
  bool serve_anybody = false;              // as a bootstrap or relay; otherwise those who may be peers
  std::size_t max_sessions = 500;  // sessions at once; a peer beyond is refused (session_limit), a listed one never
};

struct Options {
  std::string software;            // our version, told in Hello
  Duration retry_initial = 500ms;  // back-off between dials, full jitter
  Duration retry_max = 60s;
  unsigned breaker_failures = 5;   // in a row, by the peer's own fault, that open its circuit breaker
  Duration breaker_timeout = 60s;  // before it is probed for the first time
  Duration admission_timeout = 5s;  // from TLS to Hello
  Duration dead_session = 30s;      // without any live path
  Duration goodbye_timeout = 2s;    // how long we wait for the other side's close
  Duration retention = 10min;       // of a peer that is known by its visit only
};

}  // namespace pw::peer
