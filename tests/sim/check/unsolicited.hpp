// Unsolicited: what a node sends to addresses that never answered it stays under caps, for each address, for each peer and
// in all, over 1, 10 and 60 seconds. Whoever can put addresses into a node's configuration can point it at others; the
// caps say how much that is.
//
// Handshakes go to such addresses, and checks of where a peer of a session says that it is.
#pragma once

#include <map>

#include "sim/check/ground.hpp"
#include "sim/check/rate.hpp"

namespace pw::sim {

class Unsolicited : public Checker {
 public:
  /// Packets that one dial may send to one address, and why. The windows of one second start with a flight, those of ten
  /// and sixty have one more dial than fits: it may begin before the window.
  struct Cap {
    const char* what;
    std::array<std::uint64_t, kWindows.size()> packets;
  };
  /// A handshake without an answer (RFC 9002 section 6.2.2: PTO from 333 ms of RTT, doubled each time): Initials after 0, 1,
  /// 3, 7 s, two in each PTO, and one close. Dials follow each other by quic::Options::handshake_timeout and back-off. Where
  /// another address of the peer answered an Initial, but not the rest, the PTO begins anew at a few milliseconds: ten more.
  static constexpr Cap kHandshake{"handshakes", {16, 30, 80}};
  /// Seven checks of a candidate within ten seconds, and not again sooner; and in rounds, of which there are three at once
  /// and one in twenty seconds, up to eight packets.
  static constexpr Cap kChecks{"checks", {12, 42, 98}};
  /// To all addresses that a peer names: 32 candidates at once and one in two seconds, and rounds with 16 of them.
  static constexpr Cap kChecksOfPeer{"checks", {240, 700, 1200}};
  /// A search: 200 ports a second, and whatever else is checked meanwhile.
  static constexpr Cap kSearch{"searches", {240, 2100, 12100}};
  /// An operator's command, a new configuration, or a peer that is added dials anew at once.
  static constexpr std::uint32_t kOfNewStart = 10;
  /// dials of all peers together (peer/context.hpp), each to so many addresses.
  static constexpr double kFlightOfDial = 3;

  Unsolicited(const World& world, const Ground& ground) : Checker{"unsolicited"}, world_{world}, ground_{ground} {}
  void started(Instant at, const Host& host) override;
  void sent(Instant at, const net::Machine& from, const net::Packet& packet) override;
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void commanded(Instant at, const Host& host, event::Ticket ticket, const event::Command& command) override;

 private:
  /// Each judged by itself: handshakes may not use up what checks leave.
  using Rates = std::array<Rate, 2>;  // handshakes and all that has no row of its own; checks
  struct Target {
    bool answered = false;
    std::size_t peers = 1;   // that have this address
    std::size_t peer = 0;    // one of them, by Ground::index_of
    bool attributed = false;
    Rates packets;
  };
  struct Node {
    Rates packets;
    Rate earned;                         // by new starts of any peer
    std::map<std::size_t, Rates> peers;  // by Ground::index_of
    std::size_t known = 0;
  };
  Target& target(std::size_t flow);
  void attribute(const Host& host, const SocketAddress& address, Target& target) const;
  void judge(Instant at, const Host& host, Rate& rate, const Cap& cap, Rate& earned, double times, const std::string& to);

  const World& world_;
  const Ground& ground_;
  std::vector<Target> targets_;  // by flow
  std::map<std::size_t, Node> nodes_;
};

}  // namespace pw::sim
