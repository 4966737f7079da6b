// Net: the simulated internet: virtual time, everything that is plugged together, and packets under way. Sans-IO like
// the core: its driver (tests/sim/world.hpp in virtual time, the laboratory's wire process in real time) advances it.
//
// A newcomer's guide, from the outside in:
//   Net          owns all below; time goes on by step and run_until alone
//   Segment      a network that packets cross unchanged; knows who has which address          segment.hpp
//   Interface    a plug in it, with an access link each way                                   segment.hpp
//   Link, Wire   the conditions of one direction, and their state: delay, loss, rate …        link.hpp
//   Machine      interfaces, sockets, a clock, programs; is frozen, stopped, put to sleep     machine.hpp
//   Program      what runs there: a daemon, a server, a test's recorder                       machine.hpp
//   Streams      a program that is a TCP                                                      streams.hpp
//   Router       between an outer and inner segments: NatBox, Firewall, PortMapper            router.hpp
//
//   Net net{seed};
//   Segment& core = net.add_segment("core", Link{.delay = 20ms});
//   Segment& lan = net.add_segment("lan");
//   Router& router = net.add_router("router", {.nat = NatOptions{}});
//   router.attach_outer(core, {public_address});
//   router.attach_inner(lan, {gateway_address});
//   Machine& m = net.add_machine("alice");
//   m.attach(lan, {alices_address});
//   m.open(program, 9470);
//   m.send(9470, {{}, remote}, bytes);        // under way
//   net.run_until(net.now() + 1s);            // program.handle_arrival was called
//
// A packet passes: the sender's access link, the wire of the pair of plugs, the receiver's access link; a router sends it
// on in the same way. Whoever ends its way says so, with a reason (Drop), to every Observer. Nothing is answered with
// ICMP: what is lost is lost silently. Names of parts should be unique: generators go by them.
//
// Everything random comes from one seed. Each part has a generator of its own, derived from the seed and the part's
// name, so that one part's draws never shift another's. Equal instants happen in the order of scheduling, packets and
// actions before timers. A program is called by step alone, never in the middle of another's call.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadlines.hpp"
#include "sim/net/flight.hpp"
#include "sim/net/machine.hpp"
#include "sim/net/router.hpp"
#include "sim/net/segment.hpp"

namespace pw::net {

/// Told of every packet; must not change anything.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void sent(Instant, const Machine& /*from*/, const Packet&) {}
  /// To a machine's socket; addresses and TTL as they are there. Its program may get it later.
  virtual void arrived(Instant, const Machine& /*at*/, const Packet&) {}
  virtual void dropped(Instant, const Packet&, Drop, std::string_view /*where*/) {}
  /// Frozen, stopped or asleep: its programs do not get to run before `until`. Told again when that changes; an `until`
  /// that is not after the first argument says that it runs again.
  virtual void paused(Instant, const Machine&, Instant /*until*/) {}
};

class Net {
 public:
  static constexpr Instant kStart{std::chrono::hours{1}};  // not 0: nothing may take "no time yet" for an instant

  explicit Net(std::uint64_t seed);
  ~Net();

  Segment& add_segment(std::string name, const Link& default_link = {}, unsigned hops = 0);
  Machine& add_machine(std::string name);
  Router& add_router(std::string name, RouterOptions options);

  Instant now() const { return now_; }
  /// When something happens next; kNever: nothing will.
  Instant poll_timeout() const;
  /// The next thing that is due by `limit` happens, and now() becomes its time. False: nothing is.
  bool step(Instant limit);
  /// All that is due by `limit`; afterwards now() is `limit`.
  void run_until(Instant limit);
  /// Runs `action` at that time; also the past, which means next.
  void at(Instant when, std::function<void()> action);

  void add_observer(Observer& observer);
  void remove_observer(Observer& observer);

  /// A generator for the part of that name: the same for the same seed, whatever else was drawn.
  Rng rng_for(std::string_view part) const;

  std::uint64_t packets_sent() const { return packets_sent_; }
  std::uint64_t packets_arrived() const { return packets_arrived_; }
  std::uint64_t packets_dropped() const { return packets_dropped_; }
  /// Copies that links made. Sent and duplicated is arrived, dropped or under way; a router may be who sent or got one.
  std::uint64_t packets_duplicated() const { return packets_duplicated_; }
  std::size_t packets_under_way() const { return queue_.flights(); }
  std::uint64_t timers_fired() const { return timers_fired_; }
  const std::vector<std::unique_ptr<Machine>>& machines() const { return machines_; }
  const std::vector<std::unique_ptr<Router>>& routers() const { return routers_; }

 private:
  friend class Segment;
  friend class Machine;
  friend class Router;
  void sent(const Machine& from, const Packet& packet);
  void arrived(const Machine& at, const Packet& packet);
  void dropped(const Packet& packet, Drop reason, std::string_view where);
  void push(Instant at, Flight flight) { queue_.push(at, std::move(flight)); }

  std::uint64_t seed_;
  Instant now_ = kStart;
  Queue queue_;
  Deadlines<std::size_t> timers_;  // when a machine's programs run next, by its index
  bool delivering_ = false;        // a packet came from the queue and has not met a program yet
  std::vector<std::unique_ptr<Segment>> segments_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<std::unique_ptr<Router>> routers_;
  std::vector<Interface*> interfaces_;  // by index; null: detached
  std::vector<Observer*> observers_;
  std::uint64_t next_packet_ = 1;
  std::uint64_t packets_sent_ = 0;
  std::uint64_t packets_arrived_ = 0;
  std::uint64_t packets_dropped_ = 0;
  std::uint64_t packets_duplicated_ = 0;
  std::uint64_t timers_fired_ = 0;
};

}  // namespace pw::net
