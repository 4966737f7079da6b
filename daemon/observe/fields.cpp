#include "observe/fields.hpp"

#include "base/bytes.hpp"

namespace pw::observe {
namespace {

using namespace event;

std::uint64_t number(std::uint64_t n) { return n; }

/// A remote that is not known is left out.
void add_remote(Fields& f, const SocketAddress& remote) {
  if (remote.port != 0) f.push_back({"remote", remote});
}
/// From where to where; an address of this node's that the kernel chooses is left out.
void add_address(Fields& f, const PathAddress& address) {
  add_remote(f, address.remote);
  if (!address.local.is_unspecified()) f.push_back({"local", address.local.to_string()});
}
void add_text(Fields& f, std::string_view name, const std::string& text) {
  if (!text.empty()) f.push_back({name, text});
}

Fields of(const PeerAdded& e) { return {{"peer", e.peer}, {"method", name(e.method)}}; }
Fields of(const PeerRemoved& e) { return {{"peer", e.peer}}; }
Fields of(const DiscoveryFailed& e) {
  Fields f;
  if (e.peer != PeerId{}) f.push_back({"peer", e.peer});  // else of a list as a whole
  f.push_back({"method", name(e.method)});
  f.push_back({"host", e.host});
  add_text(f, "detail", e.detail);
  return f;
}
Fields of(const StateChanged& e) { return {{"peer", e.peer}, {"from", name(e.from)}, {"to", name(e.to)}}; }
Fields of(const DialStarted& e) {
  return {{"peer", e.peer}, {"addresses", number(e.addresses)}, {"failures_before", number(e.failures_before)}};
}
Fields of(const DialEnded& e) {
  Fields f{{"peer", e.peer}, {"result", name(e.result)}};
  if (e.result == DialResult::failed) {
    f.push_back({"error", name(e.error)});
    add_text(f, "detail", e.detail);
  }
  f.push_back({"took", e.took});
  if (e.result == DialResult::failed && e.retry_in > Duration::zero()) f.push_back({"retry_in", e.retry_in});
  return f;
}
Fields of(const BreakerChanged& e) {
  Fields f{{"peer", e.peer}, {"from", name(e.from)}, {"to", name(e.to)}, {"failures", number(e.failures)}};
  if (e.to == BreakerState::open) f.push_back({"opens_for", e.opens_for});
  return f;
}
Fields of(const ConnectionFailed& e) {
  Fields f;
  if (e.peer) f.push_back({"peer", *e.peer});
  add_remote(f, e.remote);
  f.push_back({"error", name(e.error)});
  add_text(f, "detail", e.detail);
  return f;
}
Fields of(const AdmissionRefused& e) {
  Fields f{{"peer", e.peer}};
  add_remote(f, e.remote);
  f.push_back({"reason", name(e.reason)});
  f.push_back({"by_peer", e.by_peer});
  return f;
}
Fields of(const SessionEstablished& e) {
  Fields f{
      {"peer", e.peer}, {"dialled", e.dialled}, {"since_first_attempt", e.since_first_attempt}, {"path", name(e.path)}};
  add_address(f, e.address);
  return f;
}
Fields of(const SessionEnded& e) {
  Fields f{{"peer", e.peer}, {"reason", name(e.reason)}, {"lasted", e.lasted}};
  add_text(f, "detail", e.detail);
  return f;
}
Fields of(const PeerIdentified& e) {
  Fields f{{"peer", e.peer}, {"instance", to_hex(e.instance)}};
  add_text(f, "software", e.software);
  f.push_back({"restarted", e.restarted});
  return f;
}
Fields of(const DuplicateIdentity& e) {
  Fields f{{"peer", e.peer}};
  add_remote(f, e.remote);
  return f;
}
Fields of(const PathHealthChanged& e) {
  Fields f{{"peer", e.peer}, {"path", name(e.path)}};
  add_address(f, e.address);
  f.insert(f.end(), {{"from", name(e.from)}, {"to", name(e.to)}, {"silence", e.silence}});
  return f;
}
Fields of(const PathProved& e) {
  Fields f{{"peer", e.peer}, {"path", name(e.path)}};
  add_address(f, e.address);
  if (e.rtt) f.push_back({"rtt", *e.rtt});
  return f;
}
Fields of(const PathMoved& e) {
  Fields f{{"peer", e.peer}, {"path", name(e.path)}, {"from", e.from.local.to_string()}};
  add_address(f, e.to);
  return f;
}
Fields of(const PathForgotten& e) {
  Fields f{{"peer", e.peer}, {"path", name(e.path)}};
  add_address(f, e.address);
  f.push_back({"why", name(e.why)});
  return f;
}
Fields of(const PathSizeJudged& e) {
  Fields f{{"peer", e.peer}, {"path", name(e.path)}};
  add_address(f, e.address);
  f.push_back({"size", name(e.size)});
  return f;
}
Fields of(const CheckRefused& e) {
  return {{"peer", e.peer}, {"reason", name(e.reason)}, {"from", e.from}};
}
Fields of(const CandidatesRefused& e) {
  Fields f{{"peer", e.peer}, {"reason", name(e.reason)}, {"count", e.count}};
  if (e.first.port != 0) f.push_back({"first", e.first});
  return f;
}
Fields of(const TraversalStarted& e) {
  return {{"peer", e.peer},
          {"trigger", name(e.trigger)},
          {"method", name(e.method)},
          {"family", name_of(e.family)},
          {"local_nat", name(e.local_nat)},
          {"remote_nat", name(e.remote_nat)}};
}
Fields of(const TraversalEnded& e) {
  Fields f{{"peer", e.peer}, {"result", name(e.result)}, {"method", name(e.method)}, {"failure", name(e.failure)}};
  add_text(f, "detail", e.detail);
  if (e.took) f.push_back({"took", *e.took});
  f.insert(f.end(), {{"family", name_of(e.family)}, {"local_nat", name(e.local_nat)}, {"remote_nat", name(e.remote_nat)}});
  return f;
}
Fields of(const PathChanged& e) {
  Fields f{{"peer", e.peer}, {"from", name(e.from)}, {"to", name(e.to)}, {"reason", name(e.reason)}};
  if (e.to != PathKind::none) add_address(f, e.address);
  return f;
}
Fields of(const PathFailedOver& e) {
  return {{"peer", e.peer}, {"from", name(e.from)}, {"to", name(e.to)}, {"took", e.took}};
}
Fields of(const ServiceUp& e) {
  Fields f{{"server", e.server}, {"transport", name(e.transport)}};
  if (e.observed) f.push_back({"observed", *e.observed});
  f.push_back({"took", e.took});
  return f;
}
Fields of(const ServiceMoved& e) { return {{"server", e.server}, {"transport", name(e.to)}}; }
Fields of(const ServiceDown& e) {
  Fields f{{"server", e.server}, {"bootstrap", e.bootstrap}, {"was_up", e.was_up}, {"error", name(e.error)}};
  add_text(f, "detail", e.detail);
  return f;
}
Fields of(const AddressObserved& e) { return {{"server", e.server}, {"address", e.address}}; }
Fields of(const ServiceRequested& e) {
  return {{"server", e.server}, {"request", name(e.request)}, {"result", name(e.result)}, {"took", e.took}};
}
Fields of(const EchoMeasured& e) {
  return {{"peer", e.peer}, {"path", name(e.path)}, {"rtt", e.rtt}, {"suspect", e.suspect}};
}
Fields of(const ProbeMeasured& e) {
  return {{"peer", e.peer}, {"path", name(e.path)}, {"rtt", e.rtt}, {"suspect", e.suspect}};
}
Fields of(const ProbesAccounted& e) {
  return {{"peer", e.peer},
          {"direction", name(e.direction)},
          {"expected", number(e.expected)},
          {"lost", number(e.lost)},
          {"suspect", number(e.suspect)}};
}
Fields of(const PathLatency& e) { return {{"peer", e.peer}, {"path", name(e.path)}, {"rtt", e.rtt}}; }
Fields of(const BandwidthMeasured& e) {
  return {{"peer", e.peer},
          {"direction", name(e.direction)},
          {"bytes", e.bytes},
          {"elapsed", e.elapsed},
          {"bytes_per_second", e.bytes_per_second}};
}
Fields of(const PipeRefused& e) { return {{"reason", name(e.reason)}, {"from", e.from}}; }
Fields of(const InboundChannelClosed& e) {
  return {{"server", e.server}, {"peer", e.peer}, {"reason", name(e.reason)}};
}
Fields of(const PacketRejected& e) { return {{"reason", name(e.reason)}, {"from", e.from}}; }
Fields of(const QueueDropped& e) { return {{"queue", name(e.queue)}, {"count", e.count}}; }
Fields of(const BudgetDenied& e) { return {{"budget", name(e.budget)}, {"count", e.count}}; }
Fields of(const NodeLate& e) { return {{"lag", e.lag}}; }
Fields of(const ClockJumped& e) { return {{"by", e.by}}; }
Fields of(const NetworkChanged& e) {
  Fields f;
  add_text(f, "added", e.added);
  add_text(f, "removed", e.removed);
  return f;
}
Fields of(const NatMeasured& e) {
  const NatBehaviour& b = e.behaviour;
  Fields f{{"family", name_of(b.family)}, {"udp", name(b.udp)}};
  if (b.mapped) f.push_back({"mapped", *b.mapped});
  f.insert(f.end(), {{"mapping", name(b.mapping)},
                     {"mapping_at_least", b.mapping_at_least},
                     {"filtering", name(b.filtering)},
                     {"hairpin", name(b.hairpin)},
                     {"allocation", name(b.allocation)},
                     {"confidence", b.confidence}});
  return f;
}
Fields of(const NodeStarted& e) { return {{"self", e.self}, {"instance", to_hex(e.instance)}}; }
Fields of(const NodeStopping&) { return {}; }
Fields of(const ConfigReloaded& e) {
  Fields f{{"success", e.success}};
  add_text(f, "detail", e.detail);
  return f;
}
Fields of(const Trouble& e) {
  Fields f{{"what", e.what}};
  add_text(f, "detail", e.detail);
  return f;
}

}  // namespace

Fields fields_of(const Event& event) {
  return std::visit([](const auto& e) { return of(e); }, event);
}

}  // namespace pw::observe
