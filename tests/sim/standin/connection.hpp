// One connection of the stand-in: QUIC's flights, frames and limits without its cryptography.
//
//   dialler                     acceptor
//   hello (1200 bytes) ─►
//                            ◄─ answer (1200 bytes): its key
//   proof: its key     ─►       established
//   established              ◄─ done
//
// Order of calls: after read, expire, write or close look at ended(); an ended connection is destroyed.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quic/recent_packets.hpp"
#include "quic/sending_paths.hpp"
#include "sim/standin/shared.hpp"
#include "sim/standin/stream.hpp"

namespace pw::quic::standin {

/// What each side allows the other.
struct Parameters {
  Duration idle_timeout;
  std::uint64_t stream_window;
  std::uint64_t connection_window;
  std::uint64_t max_streams;
};

struct Ending {
  enum class Kind {
    silent,    // nobody is told, nobody is waited for
    draining,  // the peer has closed: silent for 3 PTO (RFC 9000 section 10.2.2)
    closing    // we have closed: the close packet is repeated (section 10.2.1)
  };
  Kind kind = Kind::silent;
  Closed closed{};
  Buffer close_packet;
};

class Connection {
 public:
  using Exporter = std::array<std::uint8_t, 32>;

  /// Dials. `first_id`: what the acceptor is called until its own ID is known.
  Connection(Shared& shared, Handle handle, Instant now, std::span<const PathAddress> candidates,
             const PeerId& expected, Protocol protocol, std::uint64_t first_id);
  /// Accepts; the packet that began it is read next.
  Connection(Shared& shared, Handle handle, Instant now, const PathAddress& from, const Header& header);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // ---- input; shared.from and shared.received_at describe the packet
  /// False: a handshake packet from elsewhere than the handshake's path, not looked at.
  bool read(Instant now, const Header& header, ByteView frames, ByteView packet);
  void expire(Instant now);
  void reset_by_peer();

  // ---- output
  void write(Instant now);
  void close(Instant now, std::uint64_t application_code, std::string_view reason);

  // ---- commands, as in endpoint.hpp
  Result<StreamId> open_stream();
  Status write_stream(StreamId id, ByteView bytes, bool fin);
  void consume(StreamId id, std::size_t bytes);
  bool write_datagram(ByteView bytes);
  void set_paths(std::span<const PathAddress> paths, std::optional<Instant> lost_since);

  // ---- getters
  Handle handle() const { return handle_; }
  std::optional<Ending>& ended() { return ended_; }
  /// Accepted, the peer's key not known yet.
  bool half_open() const { return !dialled_ && !established_; }
  bool answered() const { return answered_; }
  Instant deadline() const;
  Stats stats() const;
  const Exporter& exporter() const { return exporter_; }
  std::size_t pending(StreamId id) const;
  std::size_t queued_datagrams() const { return datagrams_.size(); }
  const SendingPaths& paths() const { return paths_; }
  std::uint64_t first_id() const { return first_id_; }
  std::uint64_t reset_token() const { return reset_token_; }

  bool dirty = false;              // on the endpoint's list of connections to be written
  bool counted_half_open = false;  // in the endpoint's count

 private:
  /// What has to be said, again if it is lost.
  enum Promise : std::uint8_t {
    kHello = 1,
    kAnswer = 2,
    kProof = 4,
    kDone = 8,
    kWindow = 16,
    kStreams = 32,
    kPing = 64
  };
  enum class CloseKind : std::uint8_t { application, error };

  // connection_read.cpp
  void read_frames(Instant now, ByteView frames);
  void read_ack(Instant now, Reader& in);
  void read_hello(Reader& in);
  void read_answer(Reader& in);
  void read_proof(Reader& in);
  void read_stream(Reader& in, bool fin);
  void read_close(Reader& in);
  void forget(const Sent& packet);
  void promise_again(const Sent& packet);
  void complete(std::uint64_t mine, std::uint64_t theirs);
  void establish();
  void emit(Event event);
  void end_if_done(Stream& stream);

  // connection_write.cpp
  std::size_t write_packet(Instant now, std::span<std::uint8_t> out);
  void write_ack(Writer& out);
  void write_handshake(Writer& out, Sent& packet);
  void write_windows(Writer& out, Sent& packet);
  void write_datagrams(Writer& out, Sent& packet);
  void write_streams(Writer& out, Sent& packet);
  void begin(Writer& out);
  std::uint64_t key() const { return established_ ? session_key_ : first_id_; }
  bool has_more() const;
  std::size_t payload() const { return established_ ? udp_payload(protocol_) : kUdpPayload; }
  void transmit(Instant now, ByteView packets, std::size_t segments);
  Buffer close_packet(CloseKind kind, std::uint64_t code, std::string_view reason);

  Stream* find(StreamId id);
  const Stream* find(StreamId id) const { return const_cast<Connection*>(this)->find(id); }
  Parameters parameters() const;
  void fail(event::ErrorType error, std::string detail);
  void end(Ending::Kind kind, bool local, event::ErrorType error, std::optional<std::uint64_t> code,
           std::string detail);

  Shared& shared_;
  const Handle handle_;
  const bool dialled_;
  Protocol protocol_ = Protocol::peer;
  bool complete_ = false;  // both nonces and keys are known here
  bool established_ = false;
  bool answered_ = false;
  bool ack_owed_ = false;
  std::uint8_t probes_ = 0;  // packets that may go whatever the window says
  bool paced_ = false;       // something waits for the pacer only
  bool sent_since_heard_ = false;
  std::uint8_t promises_ = 0;
  std::optional<PeerId> expected_;
  std::optional<PeerId> peer_;
  SendingPaths paths_;
  RecentPackets recent_;
  std::uint64_t first_id_;
  std::uint64_t remote_id_;
  std::uint64_t nonce_;
  std::uint64_t session_key_ = 0;
  std::uint64_t reset_token_ = 0;
  Exporter exporter_{};
  Parameters peers_{};
  std::uint64_t credit_ = 0;  // bytes that an unproved address may still be sent
  std::uint64_t next_number_ = 0;
  Intervals received_;
  Recovery recovery_;
  Instant give_up_;
  Instant idle_since_;
  Duration idle_timeout_;
  std::uint64_t datagrams_lost_ = 0;
  std::vector<Buffer> datagrams_;

  std::vector<Stream> streams_;
  std::size_t turn_ = 0;      // the stream that writes next
  std::uint64_t opened_ = 0;  // streams of ours so far
  std::uint64_t max_opened_ = 0;
  Intervals peers_streams_;  // of the peer, by their order, that were ever seen
  std::uint64_t max_peers_streams_;
  std::uint64_t data_sent_ = 0;
  std::uint64_t max_data_out_ = 0;
  std::uint64_t data_received_ = 0;
  std::uint64_t data_consumed_ = 0;
  std::uint64_t max_data_in_;

  std::vector<Event> early_;  // what came before a dialler was established
  std::optional<Ending> ended_;
};

}  // namespace pw::quic::standin
