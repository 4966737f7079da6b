// Leases: one bandwidth measurement a node at a time, and each gives its place back. That a node or its peer is busy is
// a legal answer only while another measurement may be under way there.
#pragma once

#include <deque>

#include "sim/check/ground.hpp"

namespace pw::sim {

class Leases : public Checker {
 public:
  /// Beyond its time both ways: requests, reports, what is still queued. The other end may hear of it that much later
  /// where packets are lost, or somebody does not run.
  static constexpr Duration kTail = 20s;
  static constexpr Duration kStuck = 60s;

  explicit Leases(const Ground& ground) : Checker{"leases"}, ground_{ground} {}
  void commanded(Instant at, const Host& host, event::Ticket ticket, const event::Command& command) override;
  void answered(Instant at, const Host& host, event::Ticket ticket, const event::Answer& answer) override;

 private:
  struct Measurement {
    const Host* host;
    event::Ticket ticket;
    PeerId peer;
    Instant asked;
    Duration lasts;
  };
  bool may_be_busy(Instant at, const Measurement& refused, const PeerId& who) const;

  const Ground& ground_;
  std::deque<Measurement> measurements_;  // of the longest time that one may be under way
};

}  // namespace pw::sim
