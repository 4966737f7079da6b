// Table: all sessions of this node, who they belong to, and when each wants to be called.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>

#include "base/deadlines.hpp"
#include "peer/session.hpp"

namespace pw::peer {

class Table {
 public:
  /// Peers that only their visits made known (admission by secret), connected or remembered. Beyond it the one idle for
  /// longest is forgotten; if none is idle the visitor is refused.
  static constexpr std::size_t kMaxVisitors = 4096;
  /// Dials that wait are hastened once within it, however often the network comes and goes.
  static constexpr Duration kHastenPause = 5s;

  explicit Table(Context& context) : context_{context} {}

  // ---- commands
  void configure(Instant now, const Membership& membership);
  void handle_command(Instant now, event::Ticket ticket, const event::Command& command);
  void shutdown(Instant now);

  // ---- input
  void handle(Instant now, const quic::Event& e);
  void handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses);
  /// These: false if it is of no further socket of ours.
  bool handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  bool handle_stun(Instant now, const PathAddress& from, const wire::stun::Message& message);
  void handle_timeout(Instant now);
  /// Answers to SeekChannel, and what else servers tell of channels with a peer.
  void handle_channel(Instant now, const PeerId& peer, Via via);
  void handle_no_channel(Instant now, const PeerId& peer, const NoChannel& answer);
  void handle_channel_lost(Instant now, const PeerId& peer, Via via);
  void handle_channel_moved(Instant now, const PeerId& peer, Via via);
  /// A bootstrap says that the peer is there. In a mesh with a secret one that nobody listed becomes known by that.
  void handle_present(Instant now, const PeerId& peer);
  /// True if it names a connection of ours, whatever becomes of it there.
  bool handle_check(Instant now, const StunArrival& arrival);
  /// QUIC sent data of that connection.
  void traffic_sent(Instant now, quic::Handle connection);
  void count(Instant now, quic::Handle connection, event::Direction direction, const PathAddress& path, Carried what,
             std::size_t bytes, std::size_t packets);
  /// This node did not get to run, or the clock jumped: nobody is to blame for silence.
  void node_was_late(Instant now, bool probe_all);
  /// `own`: the addresses of this machine now.
  void network_changed(Instant now, std::span<const IpAddress> own);
  /// context.whereabouts is another.
  void whereabouts_changed(Instant now);

  // ---- getters
  Instant next_timeout() const { return deadlines_.earliest(); }
  /// Nobody is left who has to hear our goodbye.
  bool quiet() const;
  bool reached_once() const { return reached_once_; }
  std::vector<event::PeerSnapshot> snapshot(Instant now) const;

 private:
  void add(Instant now, const event::PeerSpec& spec, event::DiscoveryMethod method);
  void introduce(Instant now, const event::PeerSpec& spec);
  bool discover(Instant now, const PeerId& peer);
  void handle_established(Instant now, const quic::Established& e);
  void stranger_closed(Instant now, const quic::Closed& e);
  std::optional<event::AdmissionRefusal> make_room(Instant now, const PeerId& visitor);
  void forget(Instant now, const PeerId& peer);
  void rearm(Instant now, Session& session);
  template <class Call>
  void tell(Instant now, const PeerId& peer, Call call);
  Instant forget_at(const Session& session) const;
  Session* find(const PeerId& peer);
  Session* owner_of(quic::Handle connection);
  bool listed(const PeerId& peer) const;

  Context& context_;
  std::unordered_map<PeerId, std::unique_ptr<Session>> sessions_;
  Deadlines<PeerId> deadlines_;
  std::unordered_map<PeerId, Instant> there_;  // of those that bootstraps told of: when they were there last
  Instant hasten_at_{};  // the last time, or the next
  bool reached_once_ = false;
};

}  // namespace pw::peer
