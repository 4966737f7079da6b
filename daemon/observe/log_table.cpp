#include "observe/log_table.hpp"

namespace pw::observe {
namespace {

using namespace event;

bool is_orderly(CloseReason reason) {
  switch (reason) {
    case CloseReason::peer_shutdown:
    case CloseReason::local_shutdown:
    case CloseReason::operator_request:
    case CloseReason::peer_request:
    case CloseReason::peer_removed:
    case CloseReason::replaced:
      return true;
    case CloseReason::timeout:
    case CloseReason::reset:
    case CloseReason::protocol:
    case CloseReason::error:
      return false;
  }
  return false;
}

struct Table {
  Importance operator()(const PeerAdded&) const { return {Room::peer, Level::info}; }
  Importance operator()(const PeerRemoved&) const { return {Room::peer, Level::info}; }
  Importance operator()(const DiscoveryFailed&) const { return {Room::peer, Level::warning}; }
  Importance operator()(const StateChanged&) const { return {Room::peer, Level::debug}; }
  Importance operator()(const DialStarted&) const { return {Room::peer, Level::debug}; }
  Importance operator()(const DialEnded& e) const {
    return {Room::peer, e.result == DialResult::failed ? Level::info : Level::debug};
  }
  Importance operator()(const BreakerChanged& e) const {
    // That it opens is news, and that it closes; what every probe of a dead peer says again is not.
    const bool news = e.from == BreakerState::closed || e.to == BreakerState::closed;
    return {Room::peer, news ? Level::info : Level::debug};
  }
  // The same is told by dial_ended or session_ended; what is left are strangers, and there is no end of them.
  Importance operator()(const ConnectionFailed&) const { return {Room::quic, Level::debug}; }
  Importance operator()(const AdmissionRefused&) const { return {Room::peer, Level::warning}; }
  Importance operator()(const SessionEstablished&) const { return {Room::peer, Level::info}; }
  Importance operator()(const SessionEnded& e) const {
    return {Room::peer, is_orderly(e.reason) ? Level::info : Level::warning};
  }
  Importance operator()(const PeerIdentified& e) const {
    return {Room::peer, e.restarted ? Level::info : Level::debug};
  }
  Importance operator()(const DuplicateIdentity&) const { return {Room::peer, Level::error}; }
  Importance operator()(const PathHealthChanged& e) const {
    if (e.to == PathHealth::dead) return {Room::peer, Level::warning};
    // One missed probe makes a path suspect, and on a lossy path that happens all the time.
    return {Room::peer, e.from == PathHealth::dead ? Level::info : Level::debug};
  }
  Importance operator()(const PathProved&) const { return {Room::peer, Level::debug}; }
  Importance operator()(const PathMoved&) const { return {Room::peer, Level::debug}; }
  Importance operator()(const PathForgotten&) const { return {Room::peer, Level::debug}; }
  Importance operator()(const PathSizeJudged& e) const {
    return {Room::peer, e.size == PathSize::small ? Level::warning : Level::debug};
  }
  Importance operator()(const CheckRefused&) const { return {Room::peer, Level::debug}; }
  Importance operator()(const CandidatesRefused&) const { return {Room::peer, Level::debug}; }
  Importance operator()(const TraversalStarted&) const { return {Room::peer, Level::debug}; }
  Importance operator()(const TraversalEnded&) const { return {Room::peer, Level::info}; }
  Importance operator()(const PathChanged&) const { return {Room::peer, Level::info}; }
  Importance operator()(const PathFailedOver&) const { return {Room::peer, Level::info}; }
  Importance operator()(const ServiceUp&) const { return {Room::mesh, Level::info}; }
  Importance operator()(const ServiceMoved&) const { return {Room::mesh, Level::info}; }
  Importance operator()(const ServiceDown& e) const {
    return {Room::mesh, e.was_up || e.error == ErrorType::admission ? Level::warning : Level::info};
  }
  Importance operator()(const AddressObserved&) const { return {Room::mesh, Level::info}; }
  Importance operator()(const ServiceRequested&) const { return {Room::mesh, Level::debug}; }
  Importance operator()(const EchoMeasured&) const { return {Room::probe, Level::debug}; }
  Importance operator()(const ProbeMeasured&) const { return {Room::probe, Level::debug}; }
  Importance operator()(const ProbesAccounted&) const { return {Room::probe, Level::debug}; }
  Importance operator()(const PathLatency&) const { return {Room::probe, Level::debug}; }
  Importance operator()(const BandwidthMeasured&) const { return {Room::probe, Level::info}; }
  Importance operator()(const PacketRejected&) const { return {Room::quic, Level::info}; }
  Importance operator()(const InboundChannelClosed&) const { return {Room::mesh, Level::debug}; }
  Importance operator()(const PipeRefused&) const { return {Room::io, Level::info}; }
  Importance operator()(const QueueDropped&) const { return {Room::mesh, Level::warning}; }
  Importance operator()(const BudgetDenied&) const { return {Room::peer, Level::info}; }
  Importance operator()(const NodeLate&) const { return {Room::io, Level::info}; }
  Importance operator()(const ClockJumped&) const { return {Room::io, Level::warning}; }
  Importance operator()(const NetworkChanged&) const { return {Room::io, Level::info}; }
  Importance operator()(const NatMeasured& e) const {
    return {Room::mesh, e.behaviour.udp == Tested::no ? Level::warning : Level::info};
  }
  Importance operator()(const NodeStarted&) const { return {Room::mesh, Level::info}; }
  Importance operator()(const NodeStopping&) const { return {Room::mesh, Level::info}; }
  Importance operator()(const ConfigReloaded& e) const {
    return {Room::config, e.success ? Level::info : Level::error};
  }
  Importance operator()(const Trouble&) const { return {Room::io, Level::error}; }
};

}  // namespace

Importance importance_of(const Event& event) { return std::visit(Table{}, event); }

}  // namespace pw::observe
