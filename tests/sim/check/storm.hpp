// Storm: packets of a node, and of one node to one address, stay within what the configured measurements need, over 1, 10
// and 60 seconds. What is beyond the steady budget has to be earned by something that happened: a dial, a suspicion, a
// packet that was lost, a ping, a packet that somebody forged.
#pragma once

#include <map>

#include "sim/check/ground.hpp"
#include "sim/check/rate.hpp"

namespace pw::sim {

class Storm : public Checker {
 public:
  // ---- packets that one thing may cost, each way
  static constexpr std::uint32_t kOfHandshake = 30;  // flights with retransmissions, Hello, first measurements, close
  static constexpr std::uint32_t kOfSuspicion = 36;  // nine probes at PTO pace, a receipt each, QUIC's own probes
  static constexpr std::uint32_t kOfTakeover = 30;   // what went out in the last three seconds goes once more by the new path
  static constexpr std::uint32_t kOfMishap = 6;      // retransmissions, PTO probes, acknowledgements of both
  static constexpr std::uint32_t kOfPing = 8;        // two datagrams there and back, acknowledged
  static constexpr std::uint32_t kOfForged = 2;      // a reset, a Retry, a repeated close
  static constexpr std::uint32_t kOfRejected = 2;    // a reset, which may be answered by a smaller one (RFC 9000 section 10.3)
  static constexpr double kPerRelayed = 3;           // what goes through a relay: each hop, and acknowledgements of both
  static constexpr std::uint32_t kOfEnd = 10;        // goodbye, close, and closes repeated to what still comes
  static constexpr double kPerProbe = 4;   // the probe or its receipt, acknowledgements, half as much again
  static constexpr double kPerEcho = 4;
  static constexpr double kAtAnyTime = 30;  // what a window's edge may cut in two
  static constexpr Duration kCatchingUp = 3s;  // after a pause, seconds that are not judged by themselves
  // ---- dials of one peer in a window: with full jitter more than that are one in 10¹⁰ (base/backoff.hpp)
  static constexpr std::array<std::uint64_t, kWindows.size()> kMostDials{8, 14, 24};
  static constexpr std::uint32_t kDialsOfNewStart = 8;  // a session that ended, or an operator, resets the back-off

  Storm(const World& world, const Ground& ground) : Checker{"storm"}, world_{world}, ground_{ground} {}
  void sent(Instant at, const net::Machine& from, const net::Packet& packet) override;
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override;
  void dropped(Instant at, const net::Packet& packet, net::Drop why, std::string_view where) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void commanded(Instant at, const Host& host, event::Ticket ticket, const event::Command& command) override;

 private:
  struct Meter {
    Rate packets;
    Rate earned;
    std::array<std::uint64_t, 8> handshakes{};  // connection IDs that were paid for, the latest
    std::size_t next = 0;
  };
  /// The fastest that its configuration asked for within the longest window: a reload that slows a node down does not make
  /// a storm of what it sent before.
  struct Pace {
    double per_second = 0;
    Instant asked{};
  };
  struct Dials {
    Rate started;
    Rate allowed;
  };
  bool measured(Instant from, const Host& host) const;
  /// Both ends may send for it.
  void earn(Instant at, std::size_t flow, std::uint32_t packets);
  void earn(Instant at, const Host& host, const PeerId& peer, std::uint32_t packets);
  /// To the servers of both, and from there.
  void earn_relayed(Instant at, const Host& host, const PeerId& peer, std::uint32_t packets);
  void earn_at_servers(Instant at, const Host& host, std::uint32_t packets);
  void pay_handshake(Instant at, std::size_t flow, const net::Packet& packet);
  bool caught_up(Instant at, const Host& host, const Host* other) const;
  void judge_flow(Instant at, std::size_t flow);
  void judge_node(Instant at, const Host& host);
  double per_second(Instant at, const Host& host);
  Meter& meter(std::size_t flow);

  const World& world_;
  const Ground& ground_;
  std::vector<Meter> flows_;
  std::map<std::size_t, Meter> nodes_;  // by machine
  std::map<std::size_t, Pace> paces_;   // by machine
  std::map<std::pair<std::size_t, std::size_t>, Dials> dials_;  // by machine and Ground::index_of
};

}  // namespace pw::sim
