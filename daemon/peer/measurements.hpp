// Measurements: all that is measured of one session while it is connected, over the path that it uses. They vanish with
// it.
#pragma once

#include <optional>
#include <vector>

#include "event/snapshot.hpp"
#include "peer/context.hpp"
#include "peer/link.hpp"
#include "probe/datagrams.hpp"
#include "probe/echo.hpp"
#include "probe/liveness.hpp"
#include "probe/rtt_estimator.hpp"
#include "probe/window.hpp"

namespace pw::peer {

class Measurements {
 public:
  Measurements(Context& context, const PeerId& peer, const Link& link, Instant now);

  static event::PathKind kind_of(const PathAddress& path) {
    return path.remote.ip.family() == Family::v4 ? event::PathKind::direct_v4 : event::PathKind::direct_v6;
  }

  // ---- input
  void handle_timeout(Instant now, Link& link);
  void handle_datagram(Instant now, const quic::DatagramReceived& datagram);
  void handle_held(const quic::DatagramHeld& datagram);
  /// `received_at`: when the kernel had the packet that completed the frame.
  void handle_echo(Instant now, Instant received_at, const wire::EchoFrame& frame, Link& link);
  void count(Instant now, event::Direction direction, std::size_t bytes);
  void node_was_late(Instant now) { liveness_.restart_wait(now); }
  void probe_now(Instant now) { liveness_.probe_now(now); }
  void set_intervals(const probe::Options& options);

  // ---- commands
  void ping(Instant now, event::Ticket ticket, std::uint32_t size, Link& link);
  /// The session ends: pings under way are answered.
  void abandon();

  // ---- getters
  event::PathHealth health() const { return liveness_.health(); }
  event::PathKind kind() const { return kind_; }
  /// How long the path has been dead; nothing while it is not.
  std::optional<Instant> dead_since() const { return dead_since_; }
  std::optional<Instant> last_proof() const { return liveness_.last_proof(); }
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
  void send_probe(Instant now);
  void account(Instant now, event::ProbeDirection direction, std::uint32_t expected, std::uint32_t lost,
               std::uint32_t suspect);
  void health_changed(Instant now, event::PathHealth from);
  std::optional<double> rate(Instant now, event::Direction direction) const;

  Context& context_;
  PeerId peer_;
  quic::Handle handle_;
  PathAddress path_;
  event::PathKind kind_;
  Instant since_;
  probe::DatagramProber datagrams_;
  probe::EchoProber echo_;
  probe::Liveness liveness_;
  probe::RttEstimator path_rtt_;
  probe::RttEstimator echo_rtt_;
  std::array<probe::Window<Losses>, 2> losses_;
  std::array<probe::Window<std::uint64_t>, 2> bytes_;
  std::optional<Instant> dead_since_;
  Instant next_latency_;
};

}  // namespace pw::peer
