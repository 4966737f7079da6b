// Link: what one direction of a cable does to packets. Wire: the same with its state (queue, burst, random numbers).
#pragma once

#include <memory>
#include <optional>

#include "base/rng.hpp"
#include "base/time.hpp"
#include "sim/net/packet.hpp"

namespace pw::net {

/// Loss in bursts: the two-state model of Gilbert and Elliott. Mean length of a burst: 1 / leave packets; share of packets
/// inside bursts: enter / (enter + leave). Moves once a packet, before it is judged.
struct Bursts {
  double enter = 0;  // probability, a packet, that a burst begins
  double leave = 1;  // that it ends
  double loss = 1;   // of packets inside it
};

/// The conditions of one direction. May be changed at any time; packets under way keep what they were given.
struct Link {
  Duration delay{};
  Duration jitter{};        // uniform in [0, jitter] on top of the delay; packets overtake one another unless in_order
  double loss = 0;          // of each packet by itself
  bool up = true;
  bool in_order = false;    // never earlier than the packet before it, unless that one was held back by `reorder`
  Bursts bursts{};
  double reorder = 0;       // probability of being held back by reorder_by
  Duration reorder_by = 5ms;
  double duplicate = 0;     // probability that it arrives twice; the copy draws its own jitter and takes no rate
  double corrupt = 0;       // probability that one bit of the payload is flipped (and the UDP checksum agrees)
  double rate = 0;          // bytes of IP packets a second; 0: unlimited. What is lost on the way has used it
  std::size_t queue = 64 << 10;  // bytes not sent yet, for the rate; what does not fit is dropped at the tail
  std::size_t mtu = 1500;   // of the IP packet

  /// Nothing happens here to a packet within the MTU, not even time.
  bool ideal() const {
    return up && delay == Duration{} && jitter == Duration{} && loss == 0 && bursts.enter == 0 && reorder == 0 &&
           duplicate == 0 && corrupt == 0 && rate == 0;
  }
};

class Wire {
 public:
  Wire(const Link& conditions, Rng rng);

  Link link;

  struct Outcome {
    std::optional<Drop> drop;       // link_down, too_big, queue_full or lost; else it arrives at `at`
    Instant at{};
    std::optional<Instant> again;   // and a second time
  };
  /// A packet enters; `now` never runs backwards. May flip a bit of it. Draws nothing that its conditions don't need.
  Outcome carry(Instant now, Packet& packet);

 private:
  Rng& rng();
  bool lost();
  Instant serialise(Instant now, std::size_t bytes);

  Rng::Seed seed_{};
  std::unique_ptr<Rng> rng_;  // made by the first draw: most wires of a large world never draw
  Instant busy_until_{};   // the rate's serialiser
  Instant last_arrival_{};
  bool in_burst_ = false;
};

}  // namespace pw::net
