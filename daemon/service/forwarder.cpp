#include "service/forwarder.hpp"

#include <utility>

namespace pw::service {

Forwarder::Flow Forwarder::open(quic::Handle source, quic::Handle destination) {
  const Flow id{++last_};
  flows_.emplace(id, Queue{source, destination, {}, 0, false});
  ++sources_[source].flows;
  return id;
}

std::size_t Forwarder::close(Flow id) {
  const auto found = flows_.find(id);
  if (found == flows_.end()) return 0;
  const std::size_t lost = found->second.packets.size();
  const auto source = sources_.find(found->second.source);
  source->second.bytes -= found->second.bytes;
  if (--source->second.flows == 0) sources_.erase(source);
  if (const auto parked = parked_.find(found->second.destination); parked != parked_.end()) {
    std::erase(parked->second, id);
    if (parked->second.empty()) parked_.erase(parked);
  }
  flows_.erase(found);
  return lost;
}

bool Forwarder::push(Flow id, Buffer packet) {
  const auto found = flows_.find(id);
  if (found == flows_.end()) return false;
  Queue& queue = found->second;
  Source& source = sources_.at(queue.source);
  if (queue.bytes + packet.size() > kFlowBytes || source.bytes + packet.size() > kSourceBytes) return false;
  queue.bytes += packet.size();
  source.bytes += packet.size();
  queue.packets.push_back(std::move(packet));
  if (!queue.listed) list(id, queue);
  return true;
}

void Forwarder::list(Flow id, Queue& queue) {
  queue.listed = true;
  Source& source = sources_.at(queue.source);
  source.ready.push_back(id);
  if (!std::exchange(source.listed, true)) turns_.push_back(queue.source);
}

void Forwarder::unpark(quic::Handle destination) {
  const auto found = parked_.extract(destination);
  for (const Flow flow : found.mapped())
    if (const auto at = flows_.find(flow); at != flows_.end()) list(flow, at->second);
}

}  // namespace pw::service
