// PortSampler: asks a STUN server from further sockets which outer ports they have right now.
#pragma once

#include <algorithm>
#include <map>
#include <optional>

#include "base/rng.hpp"
#include "base/transmit.hpp"
#include "wire/stun.hpp"

namespace pw::nat {

class PortSampler {
 public:
  static constexpr unsigned kAttempts = 3;  // of a question; the time-out doubles with each
  static constexpr Duration kLeastTimeout = 100ms;  // the server may be farther away than the peer

  PortSampler(Duration rtt, Rng rng) : timeout_{std::max(rtt + rtt / 4, kLeastTimeout)}, rng_{rng} {}

  /// One question a socket. Where the same server is asked, a lost question or answer changes nothing: the mapping is there.
  void ask(Instant now, Via via, const SocketAddress& server);
  void clear() { questions_.clear(); }

  /// True if it answered a question of ours.
  bool handle_stun(const PathAddress& from, const wire::stun::Message& message);
  /// Gives up questions that were asked often enough, and the last one waited for.
  void handle_timeout(Instant now);
  std::optional<Transmit> poll_transmit(Instant now);
  Instant poll_timeout() const;

  /// Nothing: not known, or not yet.
  std::optional<SocketAddress> outer(Via via) const;
  bool transmitted(Via via) const;
  /// Answered or given up.
  bool settled(Via via) const;

 private:
  struct Question {
    SocketAddress server;
    wire::stun::TransactionId id{};
    Instant next{};
    unsigned sent = 0;
    bool given_up = false;
    std::optional<SocketAddress> outer;
  };
  Duration timeout_;
  Rng rng_;
  std::map<Via, Question> questions_;
};

}  // namespace pw::nat
