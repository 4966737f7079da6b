// EventQueue: carries events from the network thread to the HTTP thread. Bounded and lossy: the network thread never
// waits, and what is lost is counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "observe/entry.hpp"

namespace pw::app {

class EventQueue {
 public:
  /// As many as the ring that it feeds keeps: a longer queue would only push out its own beginning.
  static constexpr std::size_t kCapacity = 4096;

  /// True when the queue was empty: the reader has to be woken, once a batch.
  bool push(observe::Entry entry) {
    const std::scoped_lock lock{mutex_};
    if (entries_.size() >= kCapacity) {
      ++dropped_;
      return false;
    }
    entries_.push_back(std::move(entry));
    return entries_.size() == 1;
  }
  std::vector<observe::Entry> take() {
    const std::scoped_lock lock{mutex_};
    return std::exchange(entries_, {});
  }
  /// Events that were lost further on.
  void add_dropped(std::uint64_t count) {
    const std::scoped_lock lock{mutex_};
    dropped_ += count;
  }
  /// Since the last call.
  std::uint64_t take_dropped() {
    const std::scoped_lock lock{mutex_};
    return std::exchange(dropped_, 0);
  }

 private:
  std::mutex mutex_;
  std::vector<observe::Entry> entries_;
  std::uint64_t dropped_ = 0;
};

}  // namespace pw::app
