// SocketPool: the further sockets of one round. Whatever is opened here is closed here, but for the one that is kept.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "event/request.hpp"

namespace pw::nat {

class SocketPool {
 public:
  /// `next_via`: numbers for further sockets; shared by the node, outlives the pool.
  SocketPool(Family family, std::uint32_t& next_via) : family_{family}, next_via_{next_via} {}

  /// Asks for one more.
  Via open();
  void close(Via via);
  void close_all_but(std::optional<Via> kept);

  /// False: not of this pool.
  bool handle_socket(Via via, bool opened);
  enum class State : std::uint8_t { asked, open, failed };
  /// Of one that was asked for and not closed.
  State state(Via via) const;
  bool owns(Via via) const { return sockets_.contains(via); }
  std::size_t size() const { return sockets_.size(); }
  std::optional<event::Request> poll_request();

 private:
  Family family_;
  std::uint32_t& next_via_;
  std::map<Via, State> sockets_;
  std::deque<event::Request> requests_;
};

}  // namespace pw::nat
