// Flight: a packet under way. Queue: everything that happens at a time of its own, the earliest first, and what was
// scheduled first first among equals.
#pragma once

#include <functional>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "sim/net/packet.hpp"

namespace pw::net {

class Segment;

/// What lies before it: the sender's access link, the pair's wire, the receiver's access link, the receiver. `home`: it
/// is at a machine already, whose index `to` is.
enum class Leg : std::uint8_t { up, across, down, end, home };

struct Flight {
  Packet packet;
  Segment* segment = nullptr;
  std::size_t from = 0;  // interfaces by their index: they may be gone when it gets there
  std::size_t to = 0;
  Leg leg = Leg::up;
};

/// Pushing and popping cost O(log n) moves of 24 bytes; flights lie still in slots that are used again.
class Queue {
 public:
  using Action = std::function<void()>;

  void push(Instant at, Flight flight) { add(at, put(flights_, std::move(flight)) * 2); }
  void push(Instant at, Action action) { add(at, put(actions_, std::move(action)) * 2 + 1); }
  Instant earliest() const { return heap_.empty() ? kNever : heap_.front().at; }
  /// Of the earliest; not when empty.
  std::variant<Flight, Action> pop();
  std::size_t flights() const { return flights_.used.size() - flights_.free.size(); }

 private:
  struct Entry {
    Instant at;
    std::uint64_t order;
    std::size_t slot;  // doubled; the lowest bit tells an action
  };
  template <class T>
  struct Slots {
    std::vector<T> used;
    std::vector<std::size_t> free;
  };
  template <class T>
  static std::size_t put(Slots<T>& slots, T&& value) {
    if (slots.free.empty()) {
      slots.used.push_back(std::move(value));
      return slots.used.size() - 1;
    }
    const std::size_t at = slots.free.back();
    slots.free.pop_back();
    slots.used[at] = std::move(value);
    return at;
  }
  template <class T>
  static T take(Slots<T>& slots, std::size_t at) {
    slots.free.push_back(at);
    return std::exchange(slots.used[at], T{});
  }
  static bool later(const Entry& a, const Entry& b) { return a.at != b.at ? a.at > b.at : a.order > b.order; }
  void add(Instant at, std::size_t slot);

  std::vector<Entry> heap_;
  Slots<Flight> flights_;
  Slots<Action> actions_;
  std::uint64_t order_ = 0;
};

}  // namespace pw::net
