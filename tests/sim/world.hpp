// World: a simulated internet in virtual time with daemons in it: real mesh::Node, real QUIC, no sockets, no clock.
// Everything random comes from one seed, so that a run is repeated by its seed.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/checker.hpp"
#include "sim/fault.hpp"
#include "sim/host.hpp"
#include "sim/net/net.hpp"

namespace pw::sim {

using net::Link;

/// What DNS knows. Everybody reaches it as long as it is up.
struct Names {
  std::map<std::string, std::vector<IpAddress>> known;
  Duration takes = 5ms;
  Duration gives_up = 5s;  // while down
  bool up = true;
};

class World : private net::Observer {
 public:
  /// Rules cost more than what they watch, in large worlds.
  enum class Rules { all, none };
  explicit World(std::uint64_t seed, Rules rules = Rules::all);
  ~World() override;

  // ---- topology. The internet is there from the start; hosts without a place of their own are on it.
  net::Net net;
  net::Segment& internet;
  Host& add(std::string name);
  Host& add(std::string name, net::Machine& machine);
  /// A second machine with the same key.
  Host& add_twin(const Host& of);
  /// Its plugs, then those of the routers in front of it, each in the network outside the last.
  std::vector<net::Interface*> plugs(const Host& host) const;
  /// The routers in front of a host, the nearest first.
  std::vector<net::Router*> routers_of(const Host& host) const;
  /// Every host lists every other; call after the last add().
  void introduce_all();
  void start_all();
  /// The wire from one host to another in the innermost network that both are in or behind: between their plugs, or those
  /// of the routers in front of them. Made with the default on first use.
  Link& link(const Host& from, const Host& to);
  void both_ways(const Host& a, const Host& b, const Link& link);
  Link& default_link;
  Names names;

  // ---- time
  Instant now() const { return net.now(); }
  void run_for(Duration d);
  /// Runs until it holds; false if it does not within `limit`.
  bool run_until(const std::function<bool()>& condition, Duration limit);

  Host& host(std::size_t i) { return *hosts_[i]; }
  const Host& host(std::size_t i) const { return *hosts_[i]; }
  std::size_t size() const { return hosts_.size(); }
  /// The host that runs on a machine, or null.
  const Host* host_on(const net::Machine& machine) const;

  // ---- faults
  /// Records a fault that the caller makes, from now on; the index is for end().
  std::size_t begin(Fault fault);
  void end(std::size_t fault);
  const std::vector<Fault>& faults() const { return faults_; }

  // ---- rules
  /// The rules of check/all.hpp hold from the start, unless the world was made without; this adds one.
  Checker& add(std::unique_ptr<Checker> checker);
  const std::vector<std::unique_ptr<Checker>>& checkers() const { return checkers_; }
  /// The first rule that was broken so far; empty if none.
  std::string verdict();

  // ---- shorthand
  void freeze(const Host& host, Duration d) { host.machine().freeze(d); }
  void unfreeze(const Host& host) { host.machine().thaw(); }
  /// Bytes that nobody asked for, straight into a host's socket.
  void inject(const SocketAddress& from, const Host& to, Buffer bytes);
  std::uint64_t packets_sent() const { return net.packets_sent(); }
  std::uint64_t packets_lost() const { return net.packets_dropped(); }
  std::uint64_t timers_fired() const { return net.timers_fired(); }
  /// Packets that were sent last, oldest first, as an eavesdropper who means to repeat them has them.
  struct Overheard {
    SocketAddress from;
    std::size_t to;
    Buffer bytes;
  };
  std::deque<Overheard> overheard;
  std::size_t max_overheard = 0;

 private:
  friend class Host;
  Host& add(std::string name, net::Machine& machine, std::size_t key);
  net::Machine& machine_on_the_internet(const std::string& name);
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override;
  template <class Tell>
  void tell(Tell what) {
    for (const auto& checker : checkers_) what(*checker);
  }

  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Checker>> checkers_;
  std::vector<Fault> faults_;
};

}  // namespace pw::sim
