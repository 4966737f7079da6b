// Session: everything between this node and one peer: its state, its dial under way, its links, what is measured.
//
// The tie of two simultaneous dials: the connection dialled by the lower PeerId is kept. While the lower one's own dial
// is under way (at most kTieHold), and while its session is as young as dials that cross (kTie), it holds the other's
// connection unanswered, so that the loser is never admitted first and its dial ends as cancelled, exactly once. Whoever's
// link is admitted first is the session; all others are closed.
//
// A restarted peer is known by its instance id: a new instance replaces the old link at once. An instance that was
// replaced before and comes back shows two daemons with one identity: loudly, and refused while the newer is connected.
//
// Order of calls: handle_* as things arrive; after each, next_timeout() tells when handle_timeout is due.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "event/snapshot.hpp"
#include "peer/bandwidth_test.hpp"
#include "peer/context.hpp"
#include "peer/dial.hpp"
#include "peer/link.hpp"
#include "peer/measurements.hpp"
#include "peer/redial.hpp"
#include "peer/state.hpp"
#include "peer/traversal.hpp"

namespace pw::peer {

class Session {
 public:
  static constexpr Duration kTieHold = 1s;
  static constexpr Duration kTie = 15s;  // a handshake and what admits it: dials that crossed were both begun within it
  static constexpr std::size_t kMaxPendingLinks = 3;     // accepted, not yet admitted; the oldest goes first
  static constexpr std::size_t kMaxFormerInstances = 8;  // remembered, to tell a duplicated identity
  static constexpr Duration kSeekPause = 5s;             // between searches for a channel, while no path is alive
  static constexpr Duration kPresentPause = 10s;         // between dials that begin since a server says that the peer is there
  static constexpr Duration kStable = 10s;               // a session that lasted this long forgets the back-off

  Session(Context& context, event::PeerSpec spec, event::DiscoveryMethod method, Instant now);

  // ---- commands
  void update(const event::PeerSpec& spec, event::DiscoveryMethod method, Instant now);
  void connect(Instant now);
  void hold(Instant now);
  void ping(Instant now, event::Ticket ticket, std::uint32_t size);
  void measure_bandwidth(Instant now, event::Ticket ticket, std::uint64_t bytes, Duration duration);
  /// It is no longer configured or admitted: ends, and is forgotten once idle().
  void remove(Instant now);
  /// Ends the session with a goodbye that says why; no dial follows.
  void leave(Instant now, wire::GoodbyeReason why);
  /// Intervals, secrets or the deny list changed.
  void membership_changed(Instant now);

  // ---- input
  void handle_established(Instant now, const quic::Established& e);
  void handle(Instant now, const quic::StreamData& e);
  void handle(Instant now, const quic::StreamReset& e);
  void handle(Instant now, const quic::StreamDrained& e);
  /// A check for one of its links.
  void handle_check(Instant now, quic::Handle connection, const StunArrival& arrival);
  void handle(Instant now, const quic::Closed& e);
  /// Of a further socket that it asked for.
  void handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  /// True if it answers a question of its own.
  bool handle_stun(Instant now, const PathAddress& from, const wire::stun::Message& message);
  void handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses);
  void handle_timeout(Instant now);
  /// What was sought is there, or is not to be had.
  void handle_channel(Instant now, Via via);
  void handle_no_channel(Instant now, const NoChannel& answer);
  /// A channel with this peer, whoever opened it, is no more.
  void handle_channel_lost(Instant now, Via via);
  void handle_channel_moved(Instant now, Via via);
  void handle_present(Instant now);
  void count(Instant now, event::Direction direction, const PathAddress& path, Carried what, std::size_t bytes,
             std::size_t packets);
  void traffic_sent(Instant now);
  void node_was_late(Instant now);
  void probe_now(Instant now);
  void network_changed(Instant now, std::span<const IpAddress> own);
  /// What peers are told of this node's addresses, or what theirs are judged by, is another.
  void whereabouts_changed(Instant now);
  /// This node is in another network: a dial that waits begins soon after `from` instead, whatever became of those before.
  void redial_elsewhere(Instant now, Instant from);

  // ---- getters
  const PeerId& id() const { return spec_.id; }
  const event::PeerSpec& spec() const { return spec_; }
  event::DiscoveryMethod method() const { return method_; }
  event::SessionState state() const { return state_.get(); }
  Instant state_since() const { return state_.since(); }
  bool held() const { return held_; }
  bool removed() const { return removed_; }
  /// No link, no dial: it can be forgotten.
  bool idle() const { return !active_ && !leaving_ && pending_.empty() && !dial_; }
  Instant next_timeout() const;
  event::PeerSnapshot snapshot(Instant now) const;

 private:
  struct Pending {
    std::unique_ptr<Link> link;
    Instant release_at = kNever;
  };

  // session.cpp: states and timers
  void contact(Instant now);
  void schedule(Instant now);
  void start_dial(Instant now);
  void end_dial(Instant now, event::DialResult result, event::ErrorType error, std::string detail);
  void cancel_dial(Instant now);
  void dial_failed(Instant now, event::ErrorType error, std::string detail, const SocketAddress& remote);
  void failed(Instant now, event::ErrorType error, const std::string& detail, const SocketAddress& remote);
  void end_session(Instant now, event::CloseReason reason, std::string detail, event::SessionState to);
  void drop_measurements(Instant now);
  void left(Instant now);
  void check_dead(Instant now);
  void keep_estimates();
  bool dialable() const {
    return !spec_.addresses.empty() || (context_.rendezvous && method_ != event::DiscoveryMethod::inbound);
  }

  // session_channels.cpp
  void seek(Instant now);
  void release_channels(const Link* kept);

  // session_traversal.cpp: direct paths, and the further sockets that some go by
  void traverse(Instant now);
  void settle_sockets(Instant now);
  void release_sockets();

  // session_links.cpp: links on their way in and out
  Link* find(quic::Handle handle);
  std::unique_ptr<Link> take(quic::Handle handle);
  void handle_link(Instant now, Instant received_at, quic::Handle handle, std::vector<LinkEvent> events);
  void handle_admitted(Instant now, Link& link, const wire::Hello& hello);
  void handle_control(Instant now, const wire::ControlMessage& message);
  void handle_goodbye(Instant now, wire::GoodbyeReason reason);
  void handle_bulk(Instant now, const LinkBulk& bulk);
  void handle_bandwidth_request(Instant now, const wire::BandwidthRequest& request);
  bool loses_tie(Instant now, bool dialled) const;
  void handle_introduced(Instant now, Instant received_at, Link& link, const wire::Hello& hello);
  void activate(Instant now, std::unique_ptr<Link> link);
  void remember(const wire::Hello& hello, bool& restarted);
  void refuse(Instant now, std::unique_ptr<Link> link, event::AdmissionRefusal reason);
  void break_off(Instant now, std::unique_ptr<Link> link, CloseCode code, event::ErrorType error,
                 const std::string& why);
  void keep_losses(Link& link);
  void close(Instant now, Link& link, CloseCode code, std::string_view why);
  void active_closed(Instant now, const Link& link, const quic::Closed& e);
  void attempt_closed(Instant now, bool ours, const SocketAddress& remote, const quic::Closed& e);
  void handle_leaving(Instant now, const quic::StreamData& e);
  void link_gone(Instant now);

  // session_pending.cpp: links that wait
  void check_pending(Instant now);
  void release_held(Instant now);

  Context& context_;
  event::PeerSpec spec_;
  event::DiscoveryMethod method_;
  State state_;
  bool held_ = false;
  bool removed_ = false;

  std::optional<Dial> dial_;
  Redial redial_;
  std::optional<Instant> contact_since_;  // first dial or contact after the session was last up

  std::unique_ptr<Link> active_;
  std::unique_ptr<Link> leaving_;  // one side said goodbye: only its end is awaited
  Instant leave_deadline_ = kNever;
  std::vector<Pending> pending_;

  std::optional<Instant> connected_since_;
  std::optional<Measurements> measurements_;
  std::optional<Traversal> traversal_;  // as long as them
  Traversal::Budget traversal_budget_;
  std::vector<Via> channels_;  // that this side opened for the session
  std::vector<Via> sockets_;   // further ones, that paths of the session go by
  bool seeking_ = false;       // a further one, for the session
  bool beside_ = false;        // by another server only: the relay in use is in doubt
  Instant next_seek_{};
  Instant next_beside_{};
  Instant next_present_{};
  std::optional<BandwidthTest> bandwidth_;
  std::optional<event::InstanceId> instance_;
  std::vector<event::InstanceId> former_instances_;
  std::string software_;
  event::TrafficByPath traffic_{};
  std::array<std::uint64_t, 2> quic_packets_{};  // by Direction
  std::uint64_t datagrams_lost_before_ = 0;      // of links that ended
  std::optional<event::BandwidthEstimate> estimate_inbound_;
  std::optional<event::BandwidthEstimate> estimate_outbound_;
  std::optional<Instant> last_seen_;
  std::optional<event::LastError> last_error_;
};

}  // namespace pw::peer
