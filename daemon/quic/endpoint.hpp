// Endpoint: every QUIC connection of this node, sans-IO (RFC 9000, 9001, 9221). The only room that knows ngtcp2 and GnuTLS.
//
// QUIC sees one constant synthetic path a connection; where its packets really go is a set of PathAddresses kept here per
// connection and chosen above (docs/adr/0001). During a handshake the endpoint itself pins the path: a dialler sends to
// all its candidates and keeps the first whose reply is authentic; an acceptor answers to wherever the Initial came from,
// and keeps what the client chose by that (sending_paths.hpp). A path is what carries it and its remote address: over a channel through a relay
// the channel alone (Via), also for Retry tokens and for limits per source.
//
// Order of calls: after every handle_* drain poll_event, give the commands that follow from the events, flush, then drain
// poll_transmit and rearm one timer at poll_timeout. handle_datagram itself writes nothing, so that an acknowledgement and
// the answer to what it acknowledges leave in one packet; whoever does not flush has it done by poll_transmit. Nothing here
// re-enters. `now` never runs backwards. No input from the network ends the process or throws.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/peer_id.hpp"
#include "base/result.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "event/vocabulary.hpp"
#include "quic/identity.hpp"

namespace pw::quic {

/// A connection of this endpoint. Never used again after its Closed was polled. A reset by a restarted peer is recognised
/// by the side that dialled: the first connection ID of a dialler has no reset token (RFC 9000 section 18.2).
enum class Handle : std::uint64_t {};
using StreamId = std::int64_t;

/// What a connection is for; each protocol has its ALPN. The dialler says, the acceptor takes both.
enum class Protocol : std::uint8_t { peer, service };

/// Payload of every UDP datagram of a connection between peers, and of every handshake; fixed, no path MTU discovery
/// below QUIC.
inline constexpr std::size_t kUdpPayload = 1200;
/// The same of a connection to a service once it is established: the most that an IPv6 path of 1280 bytes carries.
inline constexpr std::size_t kServiceUdpPayload = 1232;
/// The largest DATAGRAM payload that fits (RFC 9221); a larger one is refused here, ngtcp2 would keep it for ever.
inline constexpr std::size_t kMaxDatagram = 1150;
/// The same of a connection to a service: a whole packet of kUdpPayload and the two bytes of its channel (docs/adr/0009).
inline constexpr std::size_t kMaxServiceDatagram = kUdpPayload + 2;
constexpr std::size_t udp_payload(Protocol p) { return p == Protocol::service ? kServiceUdpPayload : kUdpPayload; }
constexpr std::size_t max_datagram(Protocol p) { return p == Protocol::service ? kMaxServiceDatagram : kMaxDatagram; }

struct Options {
  std::string alpn = "peerwatch/1";
  std::string service_alpn = "peerwatch-service/1";
  std::size_t max_connections = 2048;   // half-open ones included; more are refused
  std::size_t max_half_open = 512;      // accepted, handshake not finished; each costs about 58 kB and 164 µs
  std::size_t retry_threshold = 64;     // half-open connections from which on an Initial without a token gets a Retry
  /// New connections from one source (IPv4 /32, IPv6 /64, peer through a relay), burst 2 s; before any cryptography.
  /// Twice as many through one relay.
  /// One that was asked for a token counts twice.
  double initials_per_second = 20;
  std::size_t max_sources = 4096;       // sources tracked for that; beyond, unknown sources share one bucket
  std::size_t max_dial_candidates = 4;  // also the paths in use at once
  Duration handshake_timeout = 10s;
  Duration idle_timeout = 60s;          // the session above declares death long before
  std::size_t max_queued_datagrams = 64;     // a connection; beyond it the oldest is dropped and counted
  std::size_t max_queued_stream_bytes = 1 << 20;  // a stream; beyond it write_stream fails
  std::uint64_t max_streams_bidi = 8;   // that the other side may have open
  std::uint64_t stream_window = 256 << 10;
  std::uint64_t connection_window = 1 << 20;
  /// Stateless resets and tokens are keyed from it; equal over restarts, so that a peer learns at once that we restarted.
  std::array<std::uint8_t, 32> static_secret{};
};

// ---- events
/// The peer's key is proved. What a dialler says now leaves with its handshake's last flight; only the answer confirms it.
struct Established {
  Handle connection;
  PeerId peer;
  bool dialled;
  PathAddress path;
  Protocol protocol = Protocol::peer;
};
struct StreamOpened { Handle connection; StreamId stream; };       // by the peer, bidirectional
struct StreamData { Handle connection; StreamId stream; Buffer bytes; bool fin; Instant received_at; };
struct DatagramReceived { Handle connection; PathAddress from; Instant received_at; Buffer bytes; };
/// All bytes given to write_stream so far are acknowledged, or a stream that was full has room again.
struct StreamDrained { Handle connection; StreamId stream; };
struct StreamReset { Handle connection; StreamId stream; };
/// Our own close: sent when the closing period begins. Always the last event of a connection, and the only one of an
/// accepted connection whose handshake failed.
struct Closed {
  Handle connection;
  bool local;                        // closed by close()
  event::ErrorType error;            // meaningful unless closed by an application close
  std::optional<std::uint64_t> application_code;  // as the peer (or close()) said
  std::string detail;                // for people; the peer's own reason is cut at 128 bytes and made printable
  std::optional<PeerId> peer{};      // if its key was proved
  SocketAddress remote{};            // where its packets went last
};
using Event = std::variant<Established, StreamOpened, StreamData, DatagramReceived, StreamDrained, StreamReset, Closed>;

struct Rejected { event::RejectReason reason; SocketAddress from; };

struct Transmit {
  std::optional<Handle> connection;  // none: a stateless answer
  PathAddress path;
  std::size_t segment_size = 0;      // 0: one datagram; else GSO segments of this size, the last may be shorter
  Buffer bytes;
};

struct Stats {
  Duration smoothed_rtt{};
  Duration min_rtt{};
  Duration pto{};
  std::uint64_t cwnd = 0;
  std::uint64_t bytes_in_flight = 0;
  std::uint64_t datagrams_lost = 0;  // DATAGRAM frames that QUIC declared lost
  Instant waiting_since = kNever;    // packets are under way, and no byte of a stream was acknowledged since; kNever: none are
};

class Endpoint {
 public:
  /// `identity` outlives the endpoint.
  Endpoint(Options options, const Identity& identity, Rng rng);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // ---- commands
  /// Starts a handshake over up to max_dial_candidates paths at once. Fails at the connection limit or without candidates.
  Result<Handle> dial(Instant now, std::span<const PathAddress> candidates, const PeerId& expected,
                      Protocol protocol = Protocol::peer);
  /// Fails before Established, and while the peer allows no more streams.
  Result<StreamId> open_stream(Handle connection);
  /// Queues bytes; fails, taking none, when the queue would pass its limit or the stream is gone or finished.
  Status write_stream(Handle connection, StreamId stream, ByteView bytes, bool fin = false);
  /// Tells QUIC that the bytes of StreamData were used up: flow control opens by that much.
  void consume(Handle connection, StreamId stream, std::size_t bytes);
  /// False when it is too large (never queued), empty, or the connection is gone. A full queue drops its oldest.
  bool write_datagram(Handle connection, ByteView bytes);
  /// Sends what is queued as far as congestion control allows, then CONNECTION_CLOSE with an application code. No further
  /// event of it but Closed. No-op on a closed one.
  void close(Instant now, Handle connection, std::uint64_t application_code, std::string_view reason);
  /// Where packets go from now on: each to all of `paths` (one normally, two while the first is suspect). No-op before
  /// Established, when the handshake itself has the path, and without paths. `lost_since`: what was sent since then may be
  /// lost, and goes once more, as it is, to those of `paths` that are new.
  void set_paths(Handle connection, std::span<const PathAddress> paths, std::optional<Instant> lost_since = {});
  /// A channel through a relay, before anything that came through it, and who is at its other end by the relay's word.
  void name_channel(Instant now, Via via, const PeerId& relay, const PeerId& peer);
  void forget_channel(Via via);
  /// Makes commands given since the last handle_* take effect: writes packets. Call once after a batch of commands.
  void flush(Instant now);

  // ---- input
  /// The connection that took the datagram, if one did. `received_at`: when the kernel had it; not after `now`.
  std::optional<Handle> handle_datagram(Instant now, Instant received_at, const PathAddress& from, ByteView bytes);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<Transmit> poll_transmit();
  std::optional<Event> poll_event();
  std::optional<Rejected> poll_rejected();
  /// Datagrams dropped from full queues since the last call.
  std::uint64_t take_dropped_datagrams();
  Instant poll_timeout() const;

  // ---- getters
  bool alive(Handle connection) const;  // not closed, not closing
  /// Something authentic came back to a dial.
  bool answered(Handle connection) const;
  /// Of a closed connection the last ones, at least until its Closed is polled.
  Stats stats(Handle connection) const;
  /// 32 bytes of TLS exporter (RFC 8446 section 7.5), label "EXPORTER-peerwatch", equal at both ends; from Established on.
  const std::array<std::uint8_t, 32>& exporter(Handle connection) const;
  /// Bytes of a stream that are queued or unacknowledged.
  std::size_t pending(Handle connection, StreamId stream) const;
  /// Datagrams that wait for congestion control, or for the next flush.
  std::size_t queued_datagrams(Handle connection) const;
  std::size_t connections() const;
  std::size_t half_open() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pw::quic
