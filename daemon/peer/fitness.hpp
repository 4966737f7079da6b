// Fitness: whether this node is in a state to judge a peer by a dial that failed. It is not if it stood still meanwhile, if
// its network was another or is gone, and if it heard nobody although it had heard others before: then it is this node
// that is cut off, as far as it can tell.
#pragma once

#include <optional>

#include "base/peer_id.hpp"
#include "base/time.hpp"

namespace pw::peer {

class Fitness {
 public:
  /// From this lateness on an answer may have come too late: it is the first time-out of a handshake (RFC 9002 section 6.2.2
  /// has an initial RTT of 333 ms, and so a probe after 1 s).
  static constexpr Duration kStoodStill = 1s;

  // ---- input
  void late(Instant now, Duration by) {
    if (by >= kStoodStill) disturbed_ = now;
  }
  /// `there`: whether this machine has an address that others may reach it at.
  void network_changed(Instant now, bool there) {
    disturbed_ = now;
    cut_off_ = !there;
  }
  /// A packet came of a connection with that peer, or that server answered.
  void heard(Instant now, const PeerId& who) {
    if (last_ && last_->who == who) {
      last_->at = now;
    } else {
      before_ = last_;
      last_ = Heard{who, now};
    }
  }

  // ---- getters
  /// Of a dial of that peer that began at `since` and has failed now.
  bool judges(const PeerId& peer, Instant since) const {
    if (cut_off_ || disturbed_ >= since) return false;
    const std::optional<Heard>& other = last_ && last_->who == peer ? before_ : last_;
    return !other || other->at >= since;
  }

 private:
  struct Heard {
    PeerId who;
    Instant at{};
  };
  bool cut_off_ = false;
  Instant disturbed_ = Instant::min();
  std::optional<Heard> last_;    // who was heard last
  std::optional<Heard> before_;  // and who before him
};

}  // namespace pw::peer
