// Pipes: those that this node opened to servers, and those that clients opened to this node as a server. Only QUIC of
// services comes through them: no peers and no checks, which prove real paths.
#pragma once

#include <unordered_map>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/deadlines.hpp"
#include "base/time.hpp"

namespace pw::mesh {

class Pipes {
 public:
  /// A client's handshake and Hello. Who is no client takes the room of those who are, however much he sends.
  static constexpr Duration kPatience = 15s;

  bool has(Via via) const { return from_.contains(via); }
  void opens(Via via) { from_.try_emplace(via); }
  Via accepted(Instant now, const SocketAddress& from, std::uint32_t& next_via) {
    const Via via{next_via++};
    from_.emplace(via, from);
    judged_.set(via, now + kPatience);
    return via;
  }
  /// False: it is closed already.
  bool closes(Via via) {
    judged_.clear(via);
    return from_.erase(via) != 0;
  }
  void closed(Via via) { closes(via); }

  /// Those that came here, whose time is over, and by which nobody is served, with where they came from: to be closed. One
  /// by which somebody is goes with him (service::Server::poll_left_pipe).
  template <class Serves>
  std::vector<std::pair<Via, SocketAddress>> unused(Instant now, const Serves& serves) {
    std::vector<std::pair<Via, SocketAddress>> out;
    while (const Via* due = judged_.due(now)) {
      const Via via = *due;
      judged_.clear(via);
      if (!serves(via)) out.emplace_back(via, from_.at(via));
    }
    return out;
  }
  Instant poll_timeout() const { return judged_.earliest(); }

 private:
  // Bounded by those who open them: a client each server, and the driver's limit.
  std::unordered_map<Via, SocketAddress> from_;  // nothing of our own
  Deadlines<Via> judged_;                        // of those that came here
};

}  // namespace pw::mesh
