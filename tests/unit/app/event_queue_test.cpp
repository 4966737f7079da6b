#include "app/event_queue.hpp"

#include <catch2/catch_test_macros.hpp>
#include <thread>

namespace pw::app {
namespace {

observe::Entry entry(std::uint64_t seq) { return {seq, {}, event::NodeStopping{}}; }

TEST_CASE("the reader is woken once a batch") {
  EventQueue queue;
  CHECK(queue.push(entry(1)));
  CHECK_FALSE(queue.push(entry(2)));
  CHECK(queue.take().size() == 2);
  CHECK(queue.push(entry(3)));
}

TEST_CASE("a reader that does not come costs events, counted, and no memory") {
  EventQueue queue;
  for (std::uint64_t i = 0; i < EventQueue::kCapacity + 7; ++i) queue.push(entry(i));
  queue.add_dropped(3);
  CHECK(queue.take().size() == EventQueue::kCapacity);
  CHECK(queue.take_dropped() == 10);
  CHECK(queue.take_dropped() == 0);
}

TEST_CASE("between two threads every event is delivered in order or counted") {
  EventQueue queue;
  constexpr std::uint64_t kMany = 100000;
  std::thread writer{[&] {
    for (std::uint64_t i = 1; i <= kMany; ++i) queue.push(entry(i));
  }};
  std::uint64_t taken = 0;
  std::uint64_t dropped = 0;
  std::uint64_t last = 0;
  bool ordered = true;
  while (taken + dropped < kMany) {
    for (const auto& e : queue.take()) {
      ordered = ordered && e.seq > last;
      last = e.seq;
      ++taken;
    }
    dropped += queue.take_dropped();
  }
  writer.join();
  CHECK(ordered);
  CHECK(taken + dropped == kMany);
}

}  // namespace
}  // namespace pw::app
