// Ground: the truth that the rules judge daemons by, kept once for all of them: what really happened to packets, which
// machines got to run, who runs which instance, and who says to be connected to whom. It is told everything before the
// rules are, and never complains.
//
// A flow is what one socket of a daemon exchanges with one remote address, as its machine sees the address. A daemon's path is a
// flow; the way back is the flow of the machine at the other end, found by the packets that really came.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sim/checker.hpp"
#include "sim/check/travel.hpp"

namespace pw::sim {

struct Count {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // of UDP payload
};

struct Flow {
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t machine = 0;  // index
  SocketAddress remote;
  Count sent;
  std::uint64_t sent_quic = 0;  // packets
  Count received;             // at the socket
  std::optional<Instant> last_received;
  Instant last_long_header = Instant::min();  // either way: a handshake goes on
  Instant last_long_sent = Instant::min();
  Instant last_long_arrival = Instant::min();  // not forged
  std::size_t back = kNone;   // the flow whose packets came last: the way back
  std::size_t to = kNone;     // the machine that its packets last reached
  std::size_t meant = kNone;  // the machine of the peer whose session uses it, or used it last
  std::optional<PeerId> user;  // that peer
  Instant shared_at = Instant{} - std::chrono::hours{1};  // when it last went over to another peer: packets can't be told apart
  std::string checked_for;  // the USERNAME of the check that was sent here last: whose connection it is of
  Instant mixed_at = Instant::min();  // when checks of two connections were last sent here, or one's here and elsewhere
  bool shared() const { return shared_at > Instant{}; }
  // Of packets sent:
  std::uint64_t lost = 0;     // that never arrived
  std::uint64_t bent = 0;     // that arrived with other bytes
  Travel travel;
};

/// What one machine's packets to another went through, over whatever addresses: a NAT that forgot gives another.
struct Passage {
  Instant last_arrival = Instant::min();
  Mishaps mishaps;  // lost, bent or late, by when they were sent
  Count arrived;    // copies too
  Instant last_long_header = Instant::min();  // of those
  Instant last_copy = Instant::min();  // that arrived although its original was settled before: how long it took is not known
};

/// One path of a session, as its daemon tells of it.
struct PathTold {
  event::PathHealth health = event::PathHealth::proved;
  Instant since{};
};

/// What a daemon says about one peer, as far as several rules need it.
struct Relation {
  event::SessionState state = event::SessionState::disconnected;
  std::optional<Instant> connected_since;
  std::map<PathAddress, PathTold> paths;
  PathAddress in_use;              // where the path leads that packets go out on, or went last
  std::size_t flow = Flow::kNone;  // of that path
  event::PathHealth health = event::PathHealth::proved;  // and its health; dead: no path is alive
  Instant health_since{};
  bool dialled = false;
  unsigned sessions = 0;
};

/// The packet that is being told.
struct Now {
  std::size_t flow = Flow::kNone;
  bool forged = false;                // injected: no machine sent it
  std::optional<Duration> travelled;  // of an arrival; none for a duplicate or a forged one
  Instant sent_at{};
  bool bent = false;
};

class Ground : public Checker {
 public:
  /// Beyond the shortest way of late, a packet counts as late from here on: less than Liveness' granularity, both ways.
  static constexpr Duration kLate = 20ms;
  /// Bulk behind a black hole goes out when it ends, if the session lasted so long: QUIC's idle time-out.
  static constexpr Duration kBulkStuck = 60s;
  static constexpr std::size_t kMaxChecked = 4096;  // connections of a machine, then all are forgotten
  static constexpr Duration kSlowFelt = 15s;  // samples and what waits of a time when a machine was slow

  Ground() : Checker{"ground"} {}

  // ---- packets
  const Now& packet() const { return now_; }
  /// The one that arrived last, anywhere.
  const Now& arrival() const { return arrival_; }
  const Flow& flow(std::size_t index) const { return flows_[index]; }
  std::size_t flows() const { return flows_.size(); }
  const Passage& passage(std::size_t from, std::size_t to) const;
  /// Of the daemon's own socket.
  std::size_t find(std::size_t machine, const SocketAddress& remote) const;
  /// As a path of that host goes, by whatever socket.
  std::size_t find(const Host& host, const PathAddress& path) const;
  std::size_t under_way() const { return under_way_; }

  // ---- machines
  /// How long a machine's programs could not run, in all until `at`.
  Duration paused(std::size_t machine, Instant at) const;
  Duration paused(std::size_t machine, Instant from, Instant to) const;
  /// Whether it could not run at some time of [from, to]; machines that are slow never could quite.
  bool was_paused(std::size_t machine, Instant from, Instant to) const;
  /// When the machine got to run again at last after a pause in which a packet had waited for so long that the daemon
  /// must call itself starved.
  Instant starved(std::size_t machine, Instant at) const;
  /// Packets that came there and were not what a machine had sent: forged or bent.
  std::uint64_t tainted(std::size_t machine) const { return known(machine).tainted; }
  /// Every arrival costs it time, or did shortly before.
  bool slow(std::size_t machine) const { return known(machine).slow_at + kSlowFelt > clock_; }

  // ---- daemons
  std::size_t index_of(const PeerId& peer) const;  // dense; unknown ids get a new one
  /// Whether the one is a bootstrap or relay of the other, as configured.
  static bool serves(const Host& server, const Host& client);
  /// Hosts with that key, running or not.
  const std::vector<const Host*>& hosts_of(const PeerId& peer) const;
  const Host* host_on(std::size_t machine) const {
    return machine < machines_.size() ? machines_[machine].host : nullptr;
  }
  Relation& relation(const Host& host, const PeerId& peer) const;
  /// When the instance that runs on it was started, or the last one died.
  Instant changed(const Host& host) const;
  const std::optional<event::InstanceId>& instance(const Host& host) const;
  /// When the daemon last said itself that it was late, or that the clock jumped.
  Instant said_late(const Host& host) const;
  /// What a machine sent to addresses that are no path of any session: dials, checks of what may become one.
  const Count& unclaimed(std::size_t machine) const { return known(machine).unclaimed; }
  /// When it last looked for ports, or is still looking: an attempt by prediction or search.
  Instant searched(const Host& host) const;
  /// Bytes of bandwidth measurements and commands may fill queues until then.
  Instant busy_until(const Host& host) const;

  // ---- as a checker
  void sent(Instant at, const net::Machine& from, const net::Packet& packet) override;
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override;
  void dropped(Instant at, const net::Packet& packet, net::Drop why, std::string_view where) override;
  void paused(Instant at, const net::Machine& machine, Instant until) override;
  void started(Instant at, const Host& host) override;
  void died(Instant at, const Host& host) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void commanded(Instant at, const Host& host, event::Ticket ticket, const event::Command& command) override;

 private:
  struct FlowKey {
    std::size_t machine;
    std::uint16_t port;  // its own
    SocketAddress remote;
    bool operator==(const FlowKey&) const = default;
  };
  struct FlowHash {
    std::size_t operator()(const FlowKey& k) const noexcept {
      return std::hash<SocketAddress>{}(k.remote) ^ ((k.machine << 16 | k.port) * 0x9e3779b97f4a7c15ULL);
    }
  };
  struct UnderWay {
    Instant at{};
    std::size_t flow = Flow::kNone;
    std::uint64_t digest = 0;
  };
  struct Pause {
    Instant from, to;
  };
  struct Known {
    const Host* host = nullptr;
    Instant slow_at = Instant{} - kSlowFelt;
    std::uint64_t tainted = 0;
    Count unclaimed;
    Duration busy{};           // by the cost of arrivals
    Duration before{};         // of pauses that are no longer listed
    std::deque<Pause> pauses;  // the latest
    Instant first_waiting = Instant::max();  // of QUIC's packets that wait, or waited in the last pause
    Instant changed{};
    std::optional<event::InstanceId> instance;
    Instant said_late = Instant::min();
    std::map<PeerId, Instant> searches;  // under way: since when
    Instant searched = Instant::min();
    Instant busy_until = Instant::min();
    Instant pinged = Instant::min();
    std::uint64_t ping_bytes = 0;  // of pings that came one upon another
    std::unordered_map<std::string, std::size_t> checked;  // by USERNAME: the flow of the last one, kMaxChecked of them
    std::vector<Relation> relations;  // by index_of
    std::vector<Passage> passages;    // by the machine that they lead to
  };
  Known& known(std::size_t machine) const;
  Passage& passage_between(std::size_t from, std::size_t to);
  void check_sent(Instant at, const net::Machine& from, std::size_t flow, const net::Packet& packet);
  std::size_t flow_of(const FlowKey& key);
  bool daemons(std::size_t machine, std::uint16_t port, const net::Packet& packet) const;
  void path_told(Instant at, const Host& host, const event::Event& event);
  std::size_t session_flow(Instant at, const Host& host, const PeerId& peer, const PathAddress& path);
  UnderWay* under_way(std::uint64_t id);
  void settle(std::uint64_t id);

  Now now_;
  Now arrival_;
  Instant clock_{};
  std::vector<Flow> flows_;
  std::unordered_map<FlowKey, std::size_t, FlowHash> flow_index_;
  std::deque<UnderWay> packets_;  // by id, from first_id_ on
  std::uint64_t first_id_ = 0;
  std::size_t under_way_ = 0;
  mutable std::deque<Known> machines_;  // references last
  mutable std::unordered_map<PeerId, std::size_t> peers_;
  mutable std::vector<std::vector<const Host*>> hosts_;  // by index_of
};

}  // namespace pw::sim
