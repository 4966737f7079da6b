// taken: how a poll_* empties its queue.
#pragma once

#include <deque>
#include <optional>
#include <utility>

namespace pw {

/// The first of a queue, which it leaves; none when the queue is empty.
template <class T>
std::optional<T> taken(std::deque<T>& queue) {
  if (queue.empty()) return std::nullopt;
  std::optional<T> front{std::move(queue.front())};
  queue.pop_front();
  return front;
}

}  // namespace pw
