// Questions of behaviour discovery that are open: STUN requests, paced, repeated until they are answered or silence is
// believed. Every attempt is a transaction of its own, so that it is known which one was answered: with it the round trip
// (no ambiguity), the share that is lost, and whether the first attempt did.
//
// Used as BehaviourDiscovery is: after each call drain poll_transmit and poll_ended.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "base/transmit.hpp"
#include "wire/stun.hpp"

namespace pw::nat {

/// What a question is good for; whoever asks it knows it again by that and a number.
enum class Topic : std::uint8_t {
  server,             // its plain question
  other_port,         // the leader's other port, plainly
  other_place,        // its other address and port, plainly
  from_other_port,    // the leader, answering from there
  from_other_place,
  sample,
  hairpin,
  lifetime
};

struct Question {
  Topic topic;
  std::size_t number = 0;
  Via via = Via::own;
  SocketAddress to;
  wire::stun::ChangeRequest change{};
  SocketAddress from{};  // where the answer must come from; as `to` without a change
  Via arrives = Via::own;  // hairpin: the request itself must come in there, from anywhere
};

enum class Outcome : std::uint8_t {
  answered,
  refused,  // an error, or to a change an answer from where it was asked: the server can't do it
  silent
};

struct Ended {
  Topic topic;
  std::size_t number;
  Outcome outcome;
  std::optional<SocketAddress> mapped;  // answered, but for a hairpin
  std::optional<SocketAddress> other;   // OTHER-ADDRESS
  bool at_once = false;                 // the first attempt was answered
  unsigned attempts = 0;                // that were made
};

class Questions {
 public:
  static constexpr Duration kGap = 5ms;  // between two packets: no burst ever

  Questions(Rng rng, Duration interval, unsigned attempts)
      : rng_{std::move(rng)}, interval_{interval}, attempts_{attempts} {}

  void ask(Instant now, const Question& question);
  /// Nobody wants to know any more.
  void drop(Topic topic);
  void clear();
  bool open(Topic topic) const;
  bool any_open_but(Topic topic) const;

  /// True if it was of one of our transactions.
  bool handle_stun(Instant now, Instant received_at, const PathAddress& from, const wire::stun::Message& message);
  void handle_timeout(Instant now);
  std::optional<Transmit> poll_transmit();
  std::optional<Ended> poll_ended();
  Instant poll_timeout() const;

  /// How probable it is that so many attempts in a row stayed without an answer by loss alone, as far as the answered
  /// questions tell how much is lost.
  double silence_by_loss(unsigned attempts) const;

 private:
  struct Attempt {
    wire::stun::TransactionId id;
    Instant sent_at;
  };
  struct Open {
    Question question;
    Instant asked_at;
    std::vector<Attempt> attempts;
  };
  unsigned enough(const Open& open) const;
  Duration pace(const Open& open) const;
  Instant due(const Open& open) const;
  void send(Instant now, Open& open);
  void end(std::vector<Open>::iterator open, Ended ended);
  bool answers(const Open& open, const PathAddress& from, const wire::stun::Message& message, Ended& ended) const;

  Rng rng_;
  Duration interval_;
  unsigned attempts_;
  std::vector<Open> open_;  // in the order in which they were asked
  std::deque<Transmit> transmits_;
  std::deque<Ended> ended_;
  Instant next_slot_{};
  std::optional<Duration> longest_rtt_;
  unsigned answered_ = 0;  // attempts
  unsigned lost_ = 0;      // attempts before the one that was answered
};

}  // namespace pw::nat
