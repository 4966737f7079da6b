// Bounds: nothing grows without end: connections, half-open ones, peers known, events a second, timers, packets under way; and
// every further socket belongs to a path, or to a round that is under way.
#pragma once

#include <map>
#include <optional>

#include "event/snapshot.hpp"
#include "sim/check/ground.hpp"

namespace pw::sim {

class Bounds : public Checker {
 public:
  // ---- events of a daemon within a second
  static constexpr std::uint64_t kEventsAtAnyTime = 100;
  static constexpr std::uint64_t kEventsPerPeer = 30;    // a dial, a session, its end and measurements at PTO pace
  static constexpr std::uint64_t kEventsPerPacket = 8;   // an arrival: receipts, health, rejection
  static constexpr std::uint64_t kEventsPerCommand = 8;
  // ---- timers of all programs between two looks
  static constexpr double kTimersPerPacket = 4;          // acknowledgement delay, loss detection, PTO, pacing
  static constexpr double kTimersPerHostSecond = 40;     // measurements, dials, look-ups, name by name
  static constexpr double kTimersPerPairSecond = 4;
  static constexpr double kTimersAtAnyTime = 500;
  // ---- packets under way
  static constexpr std::size_t kUnderWayPerHost = 1024;  // QUIC's window of 1 MiB for a connection: one bulk a node
  static constexpr std::size_t kUnderWayPerFlow = 64;
  /// A connection that neither a session, a dial nor a handshake explains may be on its way in for admission_timeout.
  static constexpr Duration kUnexplained = 60s;
  static constexpr Duration kSlack = 1s;

  /// Of behaviour discovery, a few for each family, and the one that speaks with the gateway.
  static constexpr std::size_t kMeasuringSockets = 24;

  /// What is wrong with a daemon's further sockets, `open` at its driver; nothing if a path needs each, or a round may.
  static std::string leak(const event::NodeSnapshot& s, const std::map<Via, SocketAddress>& open, bool searches);

  explicit Bounds(const Ground& ground) : Checker{"bounds"}, ground_{ground} {}
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override;
  void started(Instant at, const Host& host) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void commanded(Instant at, const Host& host, event::Ticket ticket, const event::Command& command) override;
  void look(const World& world) override;

 private:
  struct Daemon {
    std::int64_t second = 0;
    std::uint64_t events = 0;
    std::uint64_t allowed = 0;
    std::size_t peers = 0;    // known
    std::size_t invited = 0;  // by an operator
    std::ptrdiff_t dials = 0;  // open
    std::optional<Instant> unexplained_since;
  };
  void turn(Daemon& daemon, Instant at);
  void check(const World& world, const Host& host, Daemon& daemon);

  const Ground& ground_;
  std::map<std::size_t, Daemon> daemons_;  // by machine
  std::uint64_t timers_ = 0;
  std::uint64_t packets_ = 0;
  Instant looked_ = net::Net::kStart;
};

}  // namespace pw::sim
