#include "nat/punch_sockets.hpp"

#include <algorithm>

#include "base/taken.hpp"

namespace pw::nat {

Via SocketPool::open() {
  const Via via{next_via_++};
  sockets_.emplace(via, State::asked);
  requests_.push_back(event::OpenSocket{via, family_});
  return via;
}

void SocketPool::close(Via via) {
  const auto found = sockets_.find(via);
  if (found == sockets_.end()) return;
  const bool failed = found->second == State::failed;
  sockets_.erase(found);
  if (failed) return;  // there is nothing to close
  const auto waiting = std::ranges::find_if(requests_, [&](const event::Request& r) {
    const auto* open = std::get_if<event::OpenSocket>(&r);
    return open != nullptr && open->via == via;
  });
  if (waiting != requests_.end()) {
    requests_.erase(waiting);  // nobody has opened it yet
  } else {
    requests_.push_back(event::CloseSocket{via});
  }
}

void SocketPool::close_all_but(std::optional<Via> kept) {
  for (auto next = sockets_.begin(); next != sockets_.end();) {
    const Via via = (next++)->first;
    if (via != kept) close(via);
  }
}

bool SocketPool::handle_socket(Via via, bool opened) {
  const auto found = sockets_.find(via);
  if (found == sockets_.end()) return false;
  found->second = opened ? State::open : State::failed;
  return true;
}

SocketPool::State SocketPool::state(Via via) const {
  const auto found = sockets_.find(via);
  return found == sockets_.end() ? State::failed : found->second;
}

std::optional<event::Request> SocketPool::poll_request() {
  return taken(requests_);
}

}  // namespace pw::nat
