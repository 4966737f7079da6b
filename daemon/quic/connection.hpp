// Connection: one ngtcp2 connection with its TLS session, streams, datagrams and paths. ngtcp2's callbacks only append
// to queues and set flags; what must not happen inside them happens when the call that led to them has returned.
//
// Order of calls: after read, expire, write or close look at ended(); an ended connection is destroyed, and what is
// left of it for the closing or draining period is in its Ending.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "quic/ending.hpp"
#include "quic/recent_packets.hpp"
#include "quic/sending_paths.hpp"
#include "quic/shared.hpp"
#include "quic/stream.hpp"
#include "quic/tls.hpp"

namespace pw::quic {

/// The Initial that began an accepted connection.
struct Origin {
  ngtcp2_pkt_hd header;                      // its token points into the datagram
  std::optional<ConnectionId> before_retry;  // the ID that the client used first, proved by a Retry token
};

struct Ending {
  enum class Kind {
    silent,    // nobody is told, nobody is waited for
    draining,  // the peer has closed: silent for 3 PTO (RFC 9000 section 10.2.2)
    closing,   // we have closed: the close packet is repeated (section 10.2.1)
    retry      // an Initial that says too little to keep state for: ask for a token
  };
  Kind kind = Kind::silent;
  Closed closed{};
  Buffer close_packet;
  Duration pto{};
};

class Connection {
 public:
  /// Null when memory ran out.
  static std::unique_ptr<Connection> dial(Shared& shared, Handle handle, Instant now,
                                          std::span<const PathAddress> candidates, const PeerId& expected,
                                          Protocol protocol);
  static std::unique_ptr<Connection> accept(Shared& shared, Handle handle, Instant now, const PathAddress& from,
                                            const Origin& origin);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // ---- input; shared.from and shared.received_at describe the datagram
  /// False: a handshake packet from elsewhere than the handshake's path, not looked at.
  bool read(Instant now, ByteView datagram);
  void expire(Instant now);
  /// A datagram carried the reset token of one of the peer's connection IDs.
  void reset_by_peer();

  // ---- output
  /// Everything that may leave now, as Transmits, up to a burst's limit. False if that was nothing.
  bool write(Instant now);
  void close(Instant now, std::uint64_t application_code, std::string_view reason);

  // ---- commands, as in endpoint.hpp
  Result<StreamId> open_stream();
  Status write_stream(StreamId stream, ByteView bytes, bool fin);
  void consume(StreamId stream, std::size_t bytes);
  bool write_datagram(ByteView bytes);
  void set_paths(std::span<const PathAddress> paths, std::optional<Instant> lost_since);

  // ---- getters
  Handle handle() const { return handle_; }
  const std::optional<Ending>& ended() const { return ended_; }
  Ending take_ending() { return std::move(*ended_); }
  /// What was read last asks for nothing but an acknowledgement, which may go together with later ones.
  bool may_wait() const { return held_ > 0 && held_ < kAcknowledgeEvery; }
  /// Accepted, the peer's key not proved yet.
  bool half_open() const { return !dialled_ && !established_; }
  /// Something authentic came back to a dial.
  bool answered() const { return answered_; }
  Instant deadline() const;
  Stats stats() const;
  const Digest& exporter() const { return exporter_; }
  std::size_t pending(StreamId stream) const;
  std::size_t queued_datagrams() const { return datagrams_.size(); }
  const SendingPaths& paths() const { return paths_; }
  std::vector<ConnectionId> take_ids() { return std::move(ids_); }
  std::vector<ResetToken> take_reset_tokens() { return std::move(reset_tokens_); }

  bool dirty = false;              // on the endpoint's list of connections to be written
  bool counted_half_open = false;  // in the endpoint's count

 private:
  /// RFC 9000 section 13.2.2 recommends every second packet: between a relay and its clients acknowledgements would cost as
  /// much as what they acknowledge. As many as a sender's burst; else it waits so long at
  /// least, and as long as QUIC's own timer says, which max_ack_delay (25 ms) bounds.
  static constexpr unsigned kAcknowledgeEvery = 10;
  static constexpr Duration kAcknowledgeWithin = 5ms;

  struct Callbacks;  // what ngtcp2 calls

  Connection(Shared& shared, Handle handle, bool dialled, SendingPaths paths)
      : shared_{shared}, handle_{handle}, dialled_{dialled}, paths_{std::move(paths)} {}
  bool start(Instant now, const std::optional<PeerId>& expected, const ConnectionId& local, const ngtcp2_cid& remote,
             const Origin* origin);
  void add_id(const ConnectionId& id);
  void emit(Event event);
  void hold_acknowledgement(Instant now);
  void establish();
  /// Handshakes are of one size: an acceptor hears only in the middle of one what the connection is for.
  std::size_t payload() const { return established_ ? udp_payload(protocol_) : kUdpPayload; }
  void after_callbacks();

  Stream* find(StreamId id);
  const Stream* find(StreamId id) const;
  Stream* next_stream();
  ngtcp2_ssize write_packet(std::uint8_t* out, ngtcp2_tstamp ts);
  ngtcp2_ssize write_from(Stream& stream, std::uint8_t* out, ngtcp2_tstamp ts);
  ngtcp2_ssize write_next_datagram(std::uint8_t* out, ngtcp2_tstamp ts);
  void transmit(Instant now, std::size_t bytes, std::size_t segments);
  std::uint64_t bytes_in_flight() const;

  void fail(Instant now, int error);
  void end(Ending::Kind kind, bool local, Verdict verdict);
  Buffer close_packet(Instant now, const ngtcp2_ccerr& error);

  Shared& shared_;
  const Handle handle_;
  const bool dialled_;
  Protocol protocol_ = Protocol::peer;
  bool handshake_complete_ = false;
  bool established_ = false;
  bool answered_ = false;
  bool reset_seen_ = false;
  bool packet_open_ = false;  // ngtcp2 expects more for the packet it is writing
  ngtcp2_conn* conn_ = nullptr;
  std::unique_ptr<TlsSession> tls_;
  std::optional<PeerId> peer_;      // once it is established
  SendingPaths paths_;
  RecentPackets recent_;  // of a session, for another path of it
  Instant give_up_ = kNever;        // a dial that is not confirmed by then has failed
  Digest exporter_{};
  std::vector<ConnectionId> ids_;
  std::vector<ResetToken> reset_tokens_;
  std::vector<Stream> streams_;
  std::size_t turn_ = 0;  // the stream that writes next
  std::vector<Buffer> datagrams_;
  std::uint64_t datagrams_sent_ = 0;
  std::uint64_t datagrams_lost_ = 0;
  bool got_datagram_ = false;  // by the packet that is being read
  bool got_stream_ = false;
  unsigned held_ = 0;  // packets whose acknowledgement is held back
  Instant held_since_{};
  Instant waiting_since_ = kNever;  // while packets are under way
  std::vector<Event> early_;  // what came before a dialler was established
  std::optional<Ending> ended_;
};

}  // namespace pw::quic
