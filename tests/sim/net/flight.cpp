#include "sim/net/flight.hpp"

#include <algorithm>

namespace pw::net {

void Queue::add(Instant at, std::size_t slot) {
  heap_.push_back({at, order_++, slot});
  std::ranges::push_heap(heap_, later);
}

std::variant<Flight, Queue::Action> Queue::pop() {
  std::ranges::pop_heap(heap_, later);
  const std::size_t slot = heap_.back().slot;
  heap_.pop_back();
  if (slot % 2 == 1) return take(actions_, slot / 2);
  return take(flights_, slot / 2);
}

}  // namespace pw::net
