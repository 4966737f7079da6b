// Measurements: all that is measured of one session while it is connected: its real paths (path::Set), and the echo
// over its stream. They vanish with it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "event/snapshot.hpp"
#include "path/set.hpp"
#include "peer/context.hpp"
#include "peer/link.hpp"
#include "probe/echo.hpp"
#include "probe/rtt_estimator.hpp"
#include "probe/window.hpp"

namespace pw::peer {

class Measurements {
 public:
  Measurements(Context& context, const PeerId& peer, const Link& link, Instant now);

  // ---- input
  void handle_timeout(Instant now, Link& link);
  void handle_check(Instant now, const StunArrival& arrival);
  /// `received_at`: when the kernel had the packet that completed the frame.
  void handle_echo(Instant now, Instant received_at, const wire::EchoFrame& frame, Link& link);
  void count(Instant now, event::Direction direction, std::size_t bytes);
  /// QUIC sent data: a path that loses it is to be noticed soon.
  void traffic_sent(Instant now);
  void node_was_late(Instant now) { paths_.node_was_late(now); }
  void probe_now(Instant now);
  /// `own`: the addresses of this machine now.
  void network_changed(Instant now, std::span<const IpAddress> own);
  void set_intervals(Instant now, const probe::Options& options);

  // ---- commands
  /// One more way to the peer, to be proved.
  void add_path(Instant now, const PathAddress& address);
  /// One check, as a round of punching orders it.
  void check(Instant now, const PathAddress& address, std::uint8_t ttl);
  /// What carries it is of another kind now.
  void rename_path(Instant now, const PathAddress& address);
  /// Nothing goes there any more: its channel is gone.
  void close_path(Instant now, const PathAddress& address);
  /// Nothing goes or comes by it any more.
  void close_socket(Instant now, Via via);
  void ping(Instant now, event::Ticket ticket, std::uint32_t size, Link& link);
  /// The session ends: pings under way are answered.
  void abandon();
  /// Another connection takes its place in the session: what was known of paths is told to be over.
  void forget_paths(Instant now);
  /// And this is the one: tells of its path.
  void introduce_path(Instant now);

  // ---- getters
  /// Of the path that packets go out on; none while every path is dead.
  event::PathKind kind() const { return paths_.sending_kind(); }
  /// Where packets go; unspecified while every path is dead.
  PathAddress address() const { return paths_.sending().empty() ? PathAddress{} : paths_.sending().front(); }
  /// A direct path that is alive, the one proved last, whether packets go out on it or not.
  std::optional<event::PathSnapshot> direct() const;
  /// Whether a path goes by that socket.
  bool uses(Via via) const { return paths_.uses(via); }
  /// Of the path in use; QUIC's, as long as that has none.
  Duration rtt() const;
  /// How long no path has been alive; nothing while one is.
  std::optional<Instant> dead_since() const { return dead_since_; }
  bool only_relay_in_doubt() const { return paths_.only_relay_in_doubt(); }
  std::optional<Instant> last_proof() const { return paths_.last_proof(); }
  Instant next_timeout() const;
  void fill(Instant now, event::PeerSnapshot& snapshot, const quic::Stats& stats) const;

 private:
  struct Losses {
    std::uint32_t expected = 0;
    std::uint32_t lost = 0;
    Losses& operator+=(const Losses& other) {
      expected += other.expected;
      lost += other.lost;
      return *this;
    }
    Losses& operator-=(const Losses& other) {
      expected -= other.expected;
      lost -= other.lost;
      return *this;
    }
  };
  /// Takes what the paths have to say and to send.
  void drain(Instant now);
  void handle(Instant now, const path::PathProved& e);
  void handle(Instant now, const path::PathMoved& e);
  void handle(Instant now, const path::PathForgotten& e);
  void handle(Instant now, const path::HealthChanged& e);
  void handle(Instant now, const path::SizeJudged& e);
  void handle(Instant now, const path::RttSampled& e);
  void handle(Instant now, const path::LossAccounted& e);
  void handle(Instant now, const path::SendingPathChanged& e);
  void handle(Instant now, const path::SendingChanged& e);
  void handle(Instant now, const path::FailedOver& e);
  bool in_use(const PathAddress& address) const;
  std::optional<double> rate(Instant now, event::Direction direction) const;

  Context& context_;
  PeerId peer_;
  quic::Handle handle_;
  Instant since_;
  event::PathKind last_kind_;  // that was in use; QUIC goes on trying it while none is alive
  path::Set paths_;
  probe::EchoProber echo_;
  probe::RttEstimator echo_rtt_;
  std::array<probe::Window<Losses>, 2> losses_;  // by ProbeDirection, of the path in use
  std::array<probe::Window<std::uint64_t>, 2> bytes_;
  std::optional<Instant> dead_since_;
  Instant next_latency_;
};

}  // namespace pw::peer
