// World: a simulated network in virtual time, the second driver of the core. Real mesh::Node, real QUIC, no sockets, no
// clock. Everything random comes from one seed, split per part, so that a run is repeated by its seed.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "base/deadlines.hpp"
#include "mesh/node.hpp"

namespace pw::sim {

/// One direction of a link between two hosts.
struct Link {
  Duration delay = 10ms;
  Duration jitter{};  // uniform on top of the delay: packets overtake one another
  double loss = 0;
  bool up = true;
};

class World;

/// A machine with one address, on which the daemon's core runs, is killed, and runs again.
class Host {
 public:
  Host(World& world, std::size_t index, std::size_t key, std::string name, Rng rng);

  const std::string& name() const { return name_; }
  const PeerId& id() const { return identity_.id(); }
  SocketAddress address() const { return address_; }
  /// How others name this host in their configuration.
  event::PeerSpec spec() const { return {id(), name_, false, {HostPort{address_.ip.to_string(), address_.port}}}; }

  /// Configures and starts a new instance of the daemon.
  void start();
  /// The process is gone at once: nothing is said to anybody.
  void kill() {
    node_.reset();
    states_.clear();
  }
  bool frozen() const;
  bool running() const { return node_ != nullptr; }
  mesh::Node& node() { return *node_; }
  void configure();
  void shutdown();
  event::Ticket command(event::Command command);

  /// In force at start() and configure().
  peer::Membership membership;
  mesh::Options options;

  // ---- what was seen
  std::vector<event::Record> events;  // of all instances
  std::map<event::Ticket, event::Answer> answers;
  bool answered_twice = false;
  /// Commands to the instance that runs, without their answer yet.
  std::size_t unanswered() const;
  template <class E>
  std::vector<E> all() const {
    std::vector<E> out;
    for (const auto& r : events)
      if (const auto* e = std::get_if<E>(&r.event)) out.push_back(*e);
    return out;
  }
  template <class E>
  std::size_t count() const {
    return all<E>().size();
  }
  event::PeerSnapshot peer(const Host& other) const;
  /// As the events say; the checkers hold the snapshot against it.
  event::SessionState state(const Host& other) const;
  bool connected(const Host& other) const { return state(other) == event::SessionState::connected; }

 private:
  friend class World;
  void drain();

  World& world_;
  std::size_t index_;
  std::size_t key_;
  std::string name_;
  quic::Identity identity_;
  SocketAddress address_;
  Rng rng_;
  std::unique_ptr<mesh::Node> node_;
  unsigned generation_ = 0;  // instances so far
  std::uint64_t next_ticket_ = 1;
  std::uint64_t first_ticket_ = 1;  // of the instance that runs
  std::map<PeerId, event::SessionState> states_;
};

class World {
 public:
  explicit World(std::uint64_t seed);

  Host& add(std::string name);
  /// A second machine with the same key.
  Host& add_twin(const Host& of);
  /// Every host lists every other; call after the last add().
  void introduce_all();
  void start_all();
  /// The link from one host to another; made with the default on first use.
  Link& link(const Host& from, const Host& to);
  void both_ways(const Host& a, const Host& b, const Link& link);
  Link default_link;
  std::map<std::string, IpAddress> names;  // what DNS knows

  Instant now() const { return now_; }
  void run_for(Duration d);
  /// Runs until it holds; false if it does not within `limit`.
  bool run_until(const std::function<bool()>& condition, Duration limit);

  Host& host(std::size_t i) { return *hosts_[i]; }
  std::size_t size() const { return hosts_.size(); }
  std::uint64_t packets_sent() const { return packets_sent_; }
  std::uint64_t packets_lost() const { return packets_lost_; }
  std::uint64_t timers_fired() const { return timers_fired_; }
  /// The host's process does not get to run: what is due or arrives meanwhile is handled at the end, late.
  void freeze(const Host& host, Duration d) { frozen_until_[host.index_] = now_ + d; }
  void unfreeze(const Host& host) {
    frozen_until_.erase(host.index_);
    timers_.set(host.index_, now_);
  }
  /// Bytes that nobody asked for, straight into a host's socket.
  void inject(const SocketAddress& from, const Host& to, Buffer bytes);
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
  Host& add(std::string name, std::size_t key);
  struct Delivery {
    Instant at;
    Instant received_at;  // when the kernel had it
    std::uint64_t order;
    std::size_t to;
    SocketAddress from;
    Buffer bytes;
    bool operator>(const Delivery& o) const { return std::tie(at, order) > std::tie(o.at, o.order); }
  };
  struct Lookup {
    Instant at;
    std::size_t host;
    unsigned generation;
    std::uint64_t id;
    std::string name;
  };
  void send(std::size_t from, const mesh::Transmit& transmit);
  void send_one(std::size_t from, const SocketAddress& to, ByteView bytes);
  bool step(Instant limit);
  void deliver(Delivery d);
  void fire(std::size_t index);
  Instant thaw(std::size_t index) const;

  Rng rng_;
  Instant now_{std::chrono::hours{1}};
  std::vector<std::unique_ptr<Host>> hosts_;
  std::map<SocketAddress, std::size_t> by_address_;
  std::map<std::pair<std::size_t, std::size_t>, Link> links_;
  std::priority_queue<Delivery, std::vector<Delivery>, std::greater<>> deliveries_;
  std::vector<Lookup> lookups_;
  std::map<std::size_t, Instant> frozen_until_;
  Deadlines<std::size_t> timers_;
  std::uint64_t order_ = 0;
  std::uint64_t packets_sent_ = 0;
  std::uint64_t packets_lost_ = 0;
  std::uint64_t timers_fired_ = 0;
};

}  // namespace pw::sim
