// Causes: no false alarm and no missed one. A path that is called suspect or dead, and a session that broke, are
// explained by what really happened between the two machines: packets that were lost, bent or late, a machine that did
// not run, a daemon that was gone. And what was cut for longer than detection takes is noticed at both ends, or at the
// one that is left.
// A daemon that was started anew is believed: nobody holds on to a session with its former instance.
//
// Encryption hides which packet carried a probe. So an alarm is true if as many packets went wrong as it has missed
// probes; random loss explains a death only when eight mishaps fell into its time.
#pragma once

#include <deque>
#include <map>

#include "probe/rtt_estimator.hpp"
#include "sim/check/ground.hpp"

namespace pw::sim {

class Causes : public Checker {
 public:
  /// A packet that comes that late explains an alarm that was raised before it came: alarms are judged afterwards.
  static constexpr Duration kJudgedAfter = 5s;
  /// What counts as silence of the wire although nothing is wrong: QUIC holds packets back while its window is full.
  static constexpr Duration kNoticed = 2s;
  static constexpr std::size_t kElsewhere = 64;  // remembered

  /// What is sent to a daemon that knows nothing of it is answered by a stateless reset (RFC 9000 section 10.3), which
  /// whoever dialled recognises. So many packets came to it, and nothing was lost on the way back:
  static constexpr std::size_t kUnknownPackets = 4;
  static constexpr Duration kResetTakes = 8s;  // the slowest way there and back, with what is queued there
  static constexpr std::size_t kShortestReset = 21;  // bytes, which are answered by nothing

  explicit Causes(const Ground& ground) : Checker{"causes"}, ground_{ground} {}
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override;
  void started(Instant at, const Host& host) override;
  void look(const World& world) override;

 private:
  struct Alarm {
    Instant at{};
    const Host* host = nullptr;
    PeerId peer;
    SocketAddress remote;
    event::PathHealth to{};
    Instant since{};         // from then on something may explain it
    std::size_t needed = 1;  // mishaps
    std::size_t flow = 0;
  };
  /// One path, as its probes tell.
  struct Probed {
    probe::RttEstimator rtt;
    Instant last_proof{};
    Instant suspect_at{};
  };
  struct Path {
    std::map<PathAddress, Probed> probed;
    struct Stray {
      Instant at{};
      SocketAddress from;
    };
    std::deque<Stray> elsewhere;  // answers that came from another address than was asked: a NAT's new mapping
    Instant cancelled_at{};  // a dial
    // Of packets of a session that came to an instance that knows nothing of it:
    std::size_t unknown = 0;
    Instant unknown_since{};
    std::size_t back = Flow::kNone;  // the flow that resets take
    std::uint64_t back_wrong = 0;    // what was lost or bent of it by then
  };
  Path& path(const Host& host, const PeerId& peer);
  void judge_until(Instant at);
  std::string seen(const Alarm& alarm) const;
  bool explained(const Alarm& alarm);
  bool other_end_excuses(const Host& host, const PeerId& peer, Instant from) const;
  bool stuck_since(Instant from, const Host& host, const Host& other) const;
  /// The other end's session is older than this daemon.
  bool held_by_former(const Host& host, const PeerId& peer) const;
  void refused_anew(Instant at, const Host& host, const PeerId& peer);
  void check_forgotten(const World& world, const Host& host, const Host& other);
  void session_ended(Instant at, const Host& host, const event::SessionEnded& e);
  void health_changed(Instant at, const Host& host, const event::PathHealthChanged& e);
  Instant heard_both_ways(const Host& host, const Host& other) const;
  void check_missed(const World& world, const Host& host, const Host& other);
  void check_faults(const World& world);
  Duration detection(const Host& host, const Probed& path) const;

  const Ground& ground_;
  std::deque<Alarm> alarms_;
  std::map<std::size_t, std::vector<Path>> paths_;  // by host, then by Ground::index_of
};

}  // namespace pw::sim
