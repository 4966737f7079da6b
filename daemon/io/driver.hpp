// Driver: runs one mesh::Node on real sockets. One thread, the network thread, calls run() and does everything in it;
// other threads reach it through the bounded calls marked "any thread".
//
// A turn: read or fire → drain the node's polls → rearm one timer. A turn is bounded (one batch of datagrams a socket),
// so that a flood of packets can't starve timers; a late timer reads what has already arrived first, so that being late
// is not taken for the peers' silence.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "base/time.hpp"
#include "event/command.hpp"
#include "event/event.hpp"
#include "event/snapshot.hpp"
#include "io/pipe_tls.hpp"
#include "io/udp_sockets.hpp"
#include "mesh/node.hpp"
#include "peer/options.hpp"
#include "quic/identity.hpp"

namespace pw::io {

/// Who is told. Called on the network thread, quickly: count, copy, leave.
class Telemetry {
 public:
  virtual ~Telemetry() = default;
  virtual void record(const event::Record& record) = 0;
  /// How long a turn kept the loop from looking at its sockets.
  virtual void loop_lag(Duration lag) = 0;
  /// How much later than asked the node's timer fired.
  virtual void timer_error(Duration late) = 0;
  /// Datagrams that the kernel dropped because a receive buffer was full, since the sockets were opened.
  virtual void socket_drops(std::uint64_t total) = 0;
  /// About four times a second.
  virtual void tick(Instant now) = 0;
};

class Driver {
 public:
  /// Commands and tasks that are queued or whose answer is out. More than people and scrapers ever have under way.
  static constexpr std::size_t kMaxCommands = 256;
  static constexpr std::size_t kMaxTasks = 64;
  /// The heartbeat, and how soon a stopped process or a suspended machine is noticed.
  static constexpr Duration kTick = 250ms;
  /// From stop() to the end of run(), whatever the node does: its own goodbye has 2 s.
  static constexpr Duration kStopDeadline = 2500ms;
  static constexpr const char* kWebSocketPath = "/relay";

  /// `identity` and `telemetry` outlive the driver.
  Driver(UdpSockets sockets, mesh::Options options, const quic::Identity& identity, const Rng::Seed& seed,
         Telemetry& telemetry);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// The network thread. Returns when stopped; every command has been answered by then. Once only.
  void run();

  // ---- network thread, or before run()
  void configure(const peer::Membership& membership, const mesh::NatTerms& nat = {});
  /// Before run(), at most once: tells the node of this machine's interfaces, and of their changes from then on. Those
  /// whose names fit one of the patterns are marked as excluded.
  void watch_network(const std::vector<std::string>& exclude);
  /// Before run(), at most once: clients may come by WebSocket there, at kWebSocketPath. Where that is, or what to change.
  Result<SocketAddress> serve_websocket(const SocketAddress& listen, PipeTls tls);
  /// For those who come from now on.
  void set_websocket_tls(PipeTls tls);
  event::SnapshotPtr snapshot() const;
  const event::InstanceId& instance() const;
  /// Something that this machine has to tell takes its place in the one stream of events.
  void tell(event::Event event);

  // ---- any thread
  /// False (and counted) when too many are under way, or the driver has stopped: `done` is then never called.
  /// Otherwise it is called once, on the network thread.
  bool command(event::Command command, std::function<void(event::Answer)> done);
  /// Runs `task` on the network thread, or never if the driver stops first. False when too many wait.
  bool post(std::function<void()> task);
  /// Says goodbye, then ends run(). May be called from anywhere, any number of times.
  void stop();
  /// Ends run() without a goodbye.
  void stop_now();
  /// Counts the turns of the network thread: it stands still when that thread does, and at no other time for longer
  /// than kTick. What a watchdog is to be fed from.
  std::uint64_t progress() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pw::io
