#include <functional>
#include <string>

#include "observe/fields.hpp"
#include "observe/time_text.hpp"

namespace pw::observe {
namespace {

using namespace event;

std::string text(std::string_view s) { return std::string{s}; }

std::string say(const PeerAdded& e) { return "peer " + e.peer.to_short() + " is known now"; }
std::string say(const PeerRemoved& e) { return "peer " + e.peer.to_short() + " is no longer known"; }
std::string say(const DiscoveryFailed& e) {
  if (e.peer == PeerId{}) return "peers by " + text(name(e.method)) + " are not known anew; those known so far stay";
  return "could not resolve an address of " + e.peer.to_short();
}
std::string say(const StateChanged& e) { return "session with " + e.peer.to_short() + " is " + text(name(e.to)); }
std::string say(const DialStarted& e) { return "dialling " + e.peer.to_short(); }
std::string say(const DialEnded& e) {
  switch (e.result) {
    case DialResult::success:
      return "dialled " + e.peer.to_short();
    case DialResult::failed:
      return "could not connect to " + e.peer.to_short() + ": " + text(name(e.error));
    case DialResult::cancelled:
      return "dial of " + e.peer.to_short() + " is not needed any more";
  }
  return {};
}
std::string say(const BreakerChanged& e) {
  switch (e.to) {
    case BreakerState::closed:
      return e.peer.to_short() + " is reached again: it is dialled as before";
    case BreakerState::open:
      return "dials of " + e.peer.to_short() + " failed " + std::to_string(e.failures) + " times in a row: none for " +
             human(e.opens_for);
    case BreakerState::half_open:
      return "one dial shows whether " + e.peer.to_short() + " is back";
  }
  return {};
}
std::string say(const ConnectionFailed& e) {
  return "connection " + (e.peer ? "with " + e.peer->to_short() + " " : std::string{}) +
         "failed: " + text(name(e.error));
}
std::string say(const AdmissionRefused& e) {
  return e.by_peer ? e.peer.to_short() + " refuses us: " + text(name(e.reason))
                   : "refused " + e.peer.to_short() + ": " + text(name(e.reason));
}
std::string say(const SessionEstablished& e) { return "connected with " + e.peer.to_short(); }
std::string say(const SessionEnded& e) {
  return "session with " + e.peer.to_short() + " ended after " + human(e.lasted) + ": " + text(name(e.reason));
}
std::string say(const PeerIdentified& e) {
  return e.peer.to_short() + (e.restarted ? " has restarted" : " introduced itself");
}
std::string say(const DuplicateIdentity& e) {
  return "two daemons run with the identity " + e.peer.to_short() + ": give one of them its own identity.key";
}
std::string say(const PathHealthChanged& e) {
  return "path to " + e.peer.to_short() + " is " + text(name(e.to)) + ", silent for " + human(e.silence);
}
std::string say(const PathProved& e) {
  return "a path to " + e.peer.to_short() + " is proved, " + text(name(e.path)) +
         (e.rtt ? " in " + human(*e.rtt) : " by another handshake");
}
std::string say(const PathMoved& e) {
  return "the address of this machine that a path to " + e.peer.to_short() + " began at is gone: it begins at another";
}
std::string say(const PathForgotten& e) {
  return "a path to " + e.peer.to_short() + " is given up: " + text(name(e.why));
}
std::string say(const PathSizeJudged& e) {
  return e.size == PathSize::full ? "packets of full size pass the path to " + e.peer.to_short()
                                  : "only small packets pass the path to " + e.peer.to_short();
}
std::string say(const CheckRefused& e) {
  return "a connectivity check for " + e.peer.to_short() + " refused: " + text(name(e.reason));
}
std::string say(const CandidatesRefused& e) {
  return "addresses that " + e.peer.to_short() + " lists as its own refused: " + text(name(e.reason));
}
std::string say(const TraversalStarted& e) {
  return "looking for a direct path to " + e.peer.to_short() + " by " + text(name(e.method));
}
std::string say(const TraversalEnded& e) {
  switch (e.result) {
    case TraversalResult::success:
      return "found a direct path to " + e.peer.to_short() + " by " + text(name(e.method));
    case TraversalResult::failure:
      return "found no direct path to " + e.peer.to_short() + ": " + text(name(e.failure));
    case TraversalResult::cancelled:
      return "a direct path to " + e.peer.to_short() + " is not looked for any more";
  }
  return {};
}
std::string say(const PathChanged& e) {
  return "path to " + e.peer.to_short() + " is now " + text(name(e.to)) + ", was " + text(name(e.from));
}
std::string say(const PathFailedOver& e) {
  return "packets to " + e.peer.to_short() + " arrive over " + text(name(e.to)) + ", " + human(e.took) +
         " after the last one over " + text(name(e.from));
}
std::string say(const ServiceUp& e) {
  const std::string_view how = e.transport == Transport::websocket ? " by WebSocket, in " : ", in ";
  return "server " + e.server.to_short() + " is there" + text(how) + human(e.took);
}
std::string say(const ServiceMoved& e) {
  return "server " + e.server.to_short() + " is reached by another connection now, over " + (e.to == Transport::quic ? "UDP" : "WebSocket");
}
std::string say(const ServiceDown& e) {
  return (e.was_up ? "lost server " : "could not reach server ") + e.server.to_short() + ": " + text(name(e.error));
}
std::string say(const AddressObserved& e) {
  return "server " + e.server.to_short() + " sees this node at another address";
}
std::string say(const ServiceRequested& e) {
  return text(name(e.request)) + " at server " + e.server.to_short() + ": " + text(name(e.result));
}
std::string say(const EchoMeasured& e) { return "echo of " + e.peer.to_short() + " in " + human(e.rtt); }
std::string say(const ProbeMeasured& e) { return "probe of " + e.peer.to_short() + " in " + human(e.rtt); }
std::string say(const ProbesAccounted& e) {
  return std::to_string(e.lost) + " of " + std::to_string(e.expected) + " probes lost, " + e.peer.to_short();
}
std::string say(const PathLatency& e) { return "path to " + e.peer.to_short() + " takes " + human(e.rtt); }
std::string say(const BandwidthMeasured& e) { return "bandwidth measured with " + e.peer.to_short(); }
std::string say(const PipeRefused& e) { return "WebSockets refused: " + text(name(e.reason)); }
std::string say(const InboundChannelClosed& e) { return "channels of others closed: " + text(name(e.reason)); }
std::string say(const PacketRejected& e) { return "packets rejected: " + text(name(e.reason)); }
std::string say(const QueueDropped& e) { return "queue full, entries dropped: " + text(name(e.queue)); }
std::string say(const BudgetDenied& e) { return "held back for the budget of " + text(name(e.budget)); }
std::string say(const NodeLate& e) {
  return "this node was " + human(e.lag) + " late: samples taken meanwhile are suspect";
}
std::string say(const ClockJumped& e) { return "the machine or this process stood still for " + human(e.by); }
std::string say(const NetworkChanged&) { return "addresses of this machine have changed"; }
std::string say(const NatMeasured& e) {
  const NatBehaviour& b = e.behaviour;
  const std::string family = b.family == Family::v4 ? "IPv4" : "IPv6";
  if (b.udp == Tested::no) return family + ": UDP is blocked, or no STUN server answers";
  if (b.mapping == NatMapping::none) return family + ": no NAT; filtering " + text(name(b.filtering));
  return family + ": NAT with mapping " + text(name(b.mapping)) + ", filtering " + text(name(b.filtering));
}
std::string say(const NodeStarted& e) { return "started as " + e.self.to_string(); }
std::string say(const NodeStopping&) { return "stopping"; }
std::string say(const ConfigReloaded& e) {
  return e.success ? "configuration reloaded" : "configuration not reloaded, the old one stays in force";
}
std::string say(const Trouble& e) { return e.what; }

template <class E>
std::uint64_t of_enum(E value) {
  return static_cast<std::uint64_t>(value);
}
std::uint64_t of_text(const std::string& value) { return std::hash<std::string>{}(value); }

/// What of an event besides type and peer makes it a different thing to say.
struct Reason {
  std::uint64_t operator()(const DiscoveryFailed& e) const { return of_text(e.host); }
  std::uint64_t operator()(const StateChanged& e) const { return of_enum(e.from) * 16 + of_enum(e.to); }
  std::uint64_t operator()(const DialEnded& e) const { return of_enum(e.result) * 16 + of_enum(e.error); }
  std::uint64_t operator()(const BreakerChanged& e) const { return of_enum(e.from) * 16 + of_enum(e.to); }
  std::uint64_t operator()(const ConnectionFailed& e) const { return of_enum(e.error); }
  std::uint64_t operator()(const AdmissionRefused& e) const { return of_enum(e.reason) * 2 + (e.by_peer ? 1 : 0); }
  std::uint64_t operator()(const SessionEnded& e) const { return of_enum(e.reason); }
  std::uint64_t operator()(const PeerIdentified& e) const { return e.restarted ? 1 : 0; }
  std::uint64_t operator()(const PathHealthChanged& e) const { return of_enum(e.path) * 16 + of_enum(e.to); }
  std::uint64_t operator()(const PathForgotten& e) const { return of_enum(e.path) * 16 + of_enum(e.why); }
  std::uint64_t operator()(const PathSizeJudged& e) const { return of_enum(e.path) * 16 + of_enum(e.size); }
  std::uint64_t operator()(const NatMeasured& e) const {
    return (of_enum(e.behaviour.family) * 16 + of_enum(e.behaviour.mapping)) * 16 + of_enum(e.behaviour.filtering);
  }
  std::uint64_t operator()(const NetworkChanged& e) const { return of_text(e.added + " for " + e.removed); }
  std::uint64_t operator()(const CheckRefused& e) const { return of_enum(e.reason); }
  std::uint64_t operator()(const CandidatesRefused& e) const { return of_enum(e.reason); }
  std::uint64_t operator()(const TraversalStarted& e) const { return of_enum(e.method); }
  std::uint64_t operator()(const TraversalEnded& e) const { return of_enum(e.result) * 16 + of_enum(e.failure); }
  std::uint64_t operator()(const PathChanged& e) const {
    return (of_enum(e.from) * 16 + of_enum(e.to)) * 16 + of_enum(e.reason);
  }
  std::uint64_t operator()(const PathFailedOver& e) const { return of_enum(e.from) * 16 + of_enum(e.to); }
  std::uint64_t operator()(const ServiceDown& e) const {
    return (of_text(e.server.to_string()) * 16 + of_enum(e.error)) * 2 + (e.was_up ? 1 : 0);
  }
  std::uint64_t operator()(const ServiceUp& e) const { return of_text(e.server.to_string()); }
  std::uint64_t operator()(const ServiceMoved& e) const { return of_text(e.server.to_string()); }
  std::uint64_t operator()(const AddressObserved& e) const { return of_text(e.server.to_string()); }
  std::uint64_t operator()(const ServiceRequested& e) const {
    return (of_text(e.server.to_string()) * 16 + of_enum(e.request)) * 16 + of_enum(e.result);
  }
  std::uint64_t operator()(const ProbesAccounted& e) const { return of_enum(e.direction); }
  std::uint64_t operator()(const BandwidthMeasured& e) const { return of_enum(e.direction); }
  std::uint64_t operator()(const PipeRefused& e) const { return of_enum(e.reason); }
  std::uint64_t operator()(const InboundChannelClosed& e) const { return of_enum(e.reason); }
  std::uint64_t operator()(const PacketRejected& e) const { return of_enum(e.reason); }
  std::uint64_t operator()(const QueueDropped& e) const { return of_enum(e.queue); }
  std::uint64_t operator()(const BudgetDenied& e) const { return of_enum(e.budget); }
  std::uint64_t operator()(const ConfigReloaded& e) const { return of_text(e.detail) * 2 + (e.success ? 1 : 0); }
  std::uint64_t operator()(const Trouble& e) const { return of_text(e.what + ": " + e.detail); }
  std::uint64_t operator()(const auto&) const { return 0; }
};

}  // namespace

std::string message_of(const Event& event) {
  return std::visit([](const auto& e) { return say(e); }, event);
}

std::uint64_t reason_of(const Event& event) { return std::visit(Reason{}, event); }

}  // namespace pw::observe
