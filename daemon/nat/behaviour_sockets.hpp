// The further sockets of behaviour discovery: asked for, bound, closed. Each is known by its Via from the moment it was
// asked for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/taken.hpp"
#include "event/request.hpp"

namespace pw::nat {

class Sockets {
 public:
  Sockets(Family family, std::uint32_t& next_via) : family_{family}, next_via_{next_via} {}

  Via open() {
    const Via via{next_via_++};
    open_.push_back(via);
    requests_.push_back(event::OpenSocket{via, family_});
    return via;
  }
  void close(Via via) {
    if (std::erase(open_, via) > 0) requests_.push_back(event::CloseSocket{via});
  }
  void close_all() {
    for (const Via via : open_) requests_.push_back(event::CloseSocket{via});
    open_.clear();
  }
  /// It could not be opened.
  void lost(Via via) { std::erase(open_, via); }
  bool owns(Via via) const { return std::ranges::find(open_, via) != open_.end(); }

  std::optional<event::Request> poll_request() {
    return taken(requests_);
  }

 private:
  Family family_;
  std::uint32_t& next_via_;
  std::vector<Via> open_;
  std::deque<event::Request> requests_;
};

}  // namespace pw::nat
