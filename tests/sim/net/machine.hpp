// Machine: a computer with interfaces, sockets, a clock of its own and programs that run on it. Program: anything that
// talks: a daemon, a STUN server, a TCP stack.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/rng.hpp"
#include "sim/net/segment.hpp"

namespace pw::net {

/// What a socket hands to its program.
struct Arrival {
  Protocol protocol = Protocol::udp;
  std::uint16_t port = 0;    // the socket
  PathAddress path;          // local: the address that it came to
  Instant received_at{};     // when the kernel had it; machine time
  std::uint8_t ttl = 0;
  ByteView bytes;
};

/// All times are the machine's. A program is called by Net::step alone, so nothing re-enters: what it or anybody else
/// does to its machine meanwhile has its effect afterwards.
class Program {
 public:
  virtual ~Program() = default;
  virtual void handle_arrival(Instant now, const Arrival& arrival) = 0;
  virtual void handle_timeout(Instant now) { static_cast<void>(now); }
  /// The machine slept, or this process was stopped, for `by`; before anything that waited.
  virtual void handle_gap(Instant now, Duration by) {
    static_cast<void>(now);
    static_cast<void>(by);
  }
  /// Interfaces or addresses of its machine changed.
  virtual void handle_network_change(Instant now) { static_cast<void>(now); }
  /// Asked after every call above, and at Machine::rearm.
  virtual Instant poll_timeout() const { return kNever; }
};

class Machine : public Device {
 public:
  Machine(Net& net, std::string name, std::size_t index, Rng rng);

  std::size_t index() const { return index_; }
  /// CLOCK_MONOTONIC: starts at `epoch`, stands still while the machine sleeps.
  Instant now() const;
  /// The net's time of an instant of this machine's clock; exact for instants since it last woke.
  Instant to_net(Instant at) const;
  /// Before the first program runs: how far this machine's clock is ahead of the net's.
  void set_clock(Duration ahead);

  // ---- interfaces
  Interface& attach(Segment& segment, std::vector<IpAddress> addresses, const Link& access = {});
  void detach(Interface& interface);
  void set_addresses(Interface& interface, std::vector<IpAddress> addresses);
  void set_enabled(Interface& interface, bool enabled);
  const std::vector<Interface*>& interfaces() const { return interfaces_; }

  // ---- sockets and programs; a program must close (or kill) before it dies. Open or rearm makes it known here; closing
  // its last socket makes it forgotten, its timer too.
  /// Bound to all addresses. 0 asks for an ephemeral port. None when it is taken. A TCP segment to no socket is answered
  /// with a reset, by the kernel: whatever programs do.
  std::optional<std::uint16_t> open(Program& program, std::uint16_t port, Protocol protocol = Protocol::udp);
  void close(std::uint16_t port, Protocol protocol = Protocol::udp);
  /// The process is gone: its sockets and timers, and what waited in them.
  void kill(Program& program);
  /// Its poll_timeout may have changed by something other than its handle_*.
  void rearm(Program& program);
  /// The address that a packet there would have as source; none without a way out.
  std::optional<IpAddress> source_for(const IpAddress& destination) const;
  /// From a socket of this machine. `path.local` unspecified: the interface with a route, its first address of the
  /// family (own segment before a gateway; in order of attachment). To an own or loopback address: straight back, at once.
  void send(std::uint16_t port, const PathAddress& path, ByteView bytes, std::uint8_t ttl = kDefaultTtl,
            Protocol protocol = Protocol::udp);

  // ---- what befalls it
  /// Busy: no program gets to run; what arrives waits in the receive buffer, what is due comes late. Of pauses that
  /// overlap, the longest counts; thaw ends freezes and stops. When programs get to run again, they are told of a gap and
  /// of changes, then get what has arrived, up to kBatch datagrams, then what is due, and so on: as in daemon/io.
  void freeze(Duration d);
  void thaw();
  bool frozen() const;
  /// The same as SIGSTOP … SIGCONT: programs are told of the gap, however short (daemon/io notices those above 1.25 s).
  void stop(Duration d);
  /// Sleeps: its clock stands still, what is sent to it is lost. Wakes after `d`; programs are told.
  void suspend(Duration d);
  bool asleep() const;
  /// Datagrams that have arrived and wait for its programs.
  std::size_t backlog() const { return waiting_.size(); }
  /// Slow: every arrival keeps it busy for so long.
  Duration cost_of_arrival{};
  std::size_t receive_buffer = 212992;  // bytes a socket, with kReceiveOverhead a datagram, as Linux counts
  static constexpr std::size_t kReceiveOverhead = 576;
  static constexpr std::size_t kBatch = 256;  // datagrams before timers get a turn: four batches of daemon/io

  void arrive(Interface& at, Packet packet) override;
  /// Bytes that nobody asked for, straight into a socket, as if `from` had sent them.
  void inject(const SocketAddress& from, std::uint16_t port, Buffer bytes);

 private:
  friend class Net;
  struct Socket {
    Program* program;
    std::size_t waiting = 0;  // bytes, with overhead
  };
  struct Waiting {
    Packet packet;
    Instant received_at;  // machine time
  };
  struct Running {
    Program* program;
    Instant deadline = kNever;
    bool network_changed = false;
  };
  static std::uint32_t key(Protocol protocol, std::uint16_t port) {
    return static_cast<std::uint32_t>(protocol) << 16 | port;
  }
  Running* running(const Program& program);
  void forget(const Program& program);
  void changed();
  bool owns(const IpAddress& address) const;
  std::pair<Interface*, std::optional<Drop>> way_out(const PathAddress& path) const;

  /// A packet for this machine itself.
  void take(Packet packet);
  void handle(const Packet& packet, Instant received_at);
  template <class Call>
  void call(Program& program, Call call);
  template <class Call>
  void call_all(Call call);
  /// Its programs get to run. Net calls it when `next_turn` has come.
  void turn();
  void wake_up();
  void tell_pause();
  bool can_run() const;
  Instant paused_until() const;
  Instant next_turn() const;
  void schedule();

  std::size_t index_;
  Rng rng_;
  std::vector<Interface*> interfaces_;
  std::unordered_map<std::uint32_t, Socket> sockets_;
  std::vector<Running> programs_;  // in the order in which they became known
  std::deque<Waiting> waiting_;    // of all sockets, as they came
  std::size_t batch_ = 0;          // handled since timers had their turn
  Duration ahead_{};               // of the net's time
  Instant frozen_until_{};         // this and all below in the net's time
  Instant busy_until_{};           // with an arrival
  std::optional<Instant> asleep_since_;
  Instant asleep_until_{};
  std::optional<Instant> stopped_since_;
  Duration gap_{};  // not told yet
};

}  // namespace pw::net
