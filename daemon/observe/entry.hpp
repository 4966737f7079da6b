// An event as the outside sees it: numbered, with wall-clock time.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"
#include "event/event.hpp"

namespace pw::observe {

struct Entry {
  std::uint64_t seq = 0;  // from 1, rising by 1: the id of the live stream
  WallTime at{};
  event::Event event;
};

/// One JSON object on one line: seq, time (RFC 3339, UTC, milliseconds), type, message, then the event's fields.
/// Durations are numbers with a name ending in _ms; a peer is its full id; an absent value is left out.
std::string to_json(const Entry& entry);

/// Of interest to a person who looks back. Left out, since they come at the rate of probes or of a stranger's packets
/// and would wash everything else out of the ring: echo_measured, probe_measured, probes_accounted, path_latency,
/// packet_rejected, node_late, queue_dropped. Metrics count all of them.
bool worth_keeping(const event::Event& event);

}  // namespace pw::observe
