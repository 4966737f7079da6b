// Callers: who waits for the answer to a command, by the ticket that it went under.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>

#include "event/command.hpp"

namespace pw::io {

class Callers {
 public:
  using Done = std::function<void(event::Answer)>;

  event::Ticket add(Done done) {
    const auto ticket = event::Ticket{next_++};
    waiting_.emplace(ticket, std::move(done));
    return ticket;
  }
  /// Empty: nobody waits for it.
  Done take(event::Ticket ticket) {
    auto waiting = waiting_.extract(ticket);
    return waiting ? std::move(waiting.mapped()) : Done{};
  }
  void stop() {
    for (auto& [ticket, done] : std::exchange(waiting_, {})) done(stopped());
  }
  static event::Answer stopped() {
    return tl::unexpected{event::CommandFailure{event::CommandError::stopping, "the daemon stops"}};
  }

 private:
  std::unordered_map<event::Ticket, Done> waiting_;
  std::uint64_t next_ = 1;
};

}  // namespace pw::io
