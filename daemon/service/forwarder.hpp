// Forwarder: packets between clients, in turns. A flow is one direction of a channel. Every source has its own queues and
// gets as much as any other per turn (deficit round robin, Shreedhar and Varghese 1995), whether what is short is the total
// rate or the room at one destination: a greedy source delays and loses its own packets only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/token_bucket.hpp"
#include "quic/endpoint.hpp"

namespace pw::service {

class Forwarder {
 public:
  enum class Flow : std::uint64_t {};
  /// Of one flow, waiting; 25 ms of the default rate. Longer queues only make packets late.
  static constexpr std::size_t kFlowBytes = 64 << 10;
  /// Of all flows of one source.
  static constexpr std::size_t kSourceBytes = 256 << 10;
  /// A source's share of one turn: one packet of the largest kind.
  static constexpr std::size_t kQuantum = quic::kMaxServiceDatagram;

  explicit Forwarder(double bytes_per_second) : total_{bytes_per_second, bytes_per_second * 0.01 + 10 * kQuantum} {}

  Flow open(quic::Handle source, quic::Handle destination);
  /// Returns how many packets were waiting, and are dropped.
  std::size_t close(Flow flow);
  /// False: the queue of the flow or of its source is full.
  bool push(Flow flow, Buffer packet);
  bool waiting() const { return !turns_.empty(); }
  /// What may go, in turns. `room(destination)`: how many packets it takes now; `send(destination, packet)`.
  template <class Room, class Send>
  void run(Instant now, const Room& room, const Send& send);

 private:
  struct Queue {
    quic::Handle source;
    quic::Handle destination;
    std::deque<Buffer> packets;
    std::size_t bytes = 0;
    bool listed = false;  // in ready, or parked
  };
  struct Source {
    std::deque<Flow> ready;
    std::size_t bytes = 0;
    std::size_t deficit = 0;
    std::size_t flows = 0;
    bool listed = false;  // in turns_
  };
  void list(Flow id, Queue& queue);
  void unpark(quic::Handle destination);

  TokenBucket total_;
  std::uint64_t last_ = 0;
  std::unordered_map<Flow, Queue> flows_;
  std::unordered_map<quic::Handle, Source> sources_;
  std::deque<quic::Handle> turns_;                       // sources with ready flows
  std::map<quic::Handle, std::vector<Flow>> parked_;     // by the destination that has no room
};

template <class Room, class Send>
void Forwarder::run(Instant now, const Room& room, const Send& send) {
  for (auto i = parked_.begin(); i != parked_.end();) {
    const quic::Handle destination = (i++)->first;
    if (room(destination) > 0) unpark(destination);
  }
  while (!turns_.empty()) {
    const quic::Handle id = turns_.front();
    const auto found = sources_.find(id);
    if (found == sources_.end() || found->second.ready.empty()) {
      if (found != sources_.end()) found->second.listed = false, found->second.deficit = 0;
      turns_.pop_front();
      continue;
    }
    Source& source = found->second;
    const Flow flow = source.ready.front();
    const auto at = flows_.find(flow);
    if (at == flows_.end()) {  // closed meanwhile
      source.ready.pop_front();
      continue;
    }
    Queue& queue = at->second;
    const std::size_t size = queue.packets.front().size();
    if (source.deficit < size) {  // its turn is over
      source.deficit += kQuantum;
      turns_.pop_front();
      turns_.push_back(id);
      continue;
    }
    if (room(queue.destination) == 0) {
      source.ready.pop_front();
      parked_[queue.destination].push_back(flow);
      continue;
    }
    if (!total_.take(now, static_cast<double>(size))) return;
    source.deficit -= size;
    source.bytes -= size;
    queue.bytes -= size;
    const Buffer packet = std::move(queue.packets.front());
    queue.packets.pop_front();
    source.ready.pop_front();
    queue.listed = !queue.packets.empty();
    if (queue.listed) source.ready.push_back(flow);
    send(queue.destination, packet);
  }
}

}  // namespace pw::service
