// Leader: the server that names another address, as RFC 5780 wants it, and what is asked of it: its other places, and
// answers from there to a socket that never spoke to them (sections 4.3 and 4.4).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/address.hpp"
#include "event/nat.hpp"
#include "nat/behaviour_questions.hpp"

namespace pw::nat {

struct FilteringVerdict {
  event::NatFiltering filtering = event::NatFiltering::unknown;
  double confidence = 1;  // that it was not loss
  std::string doubt;      // why it is unknown
};

class Leader {
 public:
  Leader(std::size_t server, const SocketAddress& at, const SocketAddress& other, Via filter_socket)
      : server_{server}, at_{at}, other_{other}, filter_socket_{filter_socket} {}

  /// Whether a server at `at` may name that as its other address: nothing that packets should not be sent to.
  static bool may_name(const SocketAddress& at, const SocketAddress& other);

  void ask_mapping(Instant now, Questions& questions) const;
  void ask_filtering(Instant now, Questions& questions) const;
  /// The socket for that could not be opened.
  void without_socket(std::string why);
  void handle_ended(Questions& questions, const Ended& ended);

  bool finished() const;
  /// Once finished.
  FilteringVerdict judge(const Questions& questions) const;

  std::size_t server() const { return server_; }
  Via filter_socket() const { return filter_socket_; }
  const SocketAddress& at() const { return at_; }
  const SocketAddress& other_place() const { return other_; }
  SocketAddress other_port() const { return {at_.ip, other_.port}; }
  bool other_place_is_alive() const { return alive(place_); }

 private:
  using Answer = std::optional<Ended>;
  static bool alive(const Answer& a) { return a && a->outcome == Outcome::answered; }

  std::size_t server_;
  SocketAddress at_;
  SocketAddress other_;
  Via filter_socket_;
  std::string trouble_;
  Answer port_;        // to plain questions
  Answer place_;
  Answer from_port_;   // from there
  Answer from_place_;
};

}  // namespace pw::nat
