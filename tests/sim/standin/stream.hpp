// One bidirectional stream: bytes on their way out until they are acknowledged, bytes that came in until all before
// them did. Nobody can reset a stream through the endpoint's door, so there are no resets here.
#pragma once

#include <optional>
#include <vector>

#include "sim/standin/recovery.hpp"

namespace pw::quic::standin {

struct Stream {
  explicit Stream(StreamId i, std::uint64_t peers_window, std::uint64_t window)
      : id{i}, max_out{peers_window}, max_in{window} {}

  // ---- out
  void append(ByteView bytes);
  /// What to send next: what was lost before what is new; at most `room` bytes, of them `credit` new ones.
  std::optional<Chunk> next(std::size_t room, std::uint64_t credit) const;
  ByteView bytes_of(const Chunk& chunk) const;
  /// The new bytes among it.
  std::uint64_t sent(const Chunk& chunk);
  void acknowledged(const Chunk& chunk);
  void lost(const Chunk& chunk);
  std::size_t pending() const { return static_cast<std::size_t>(end_ - base_); }
  bool write_done() const { return fin_acknowledged_ && pending() == 0; }

  // ---- in
  /// Keeps what came; then take() gives what is in order. False: more than the window allows.
  bool receive(std::uint64_t offset, ByteView bytes, bool fin);
  /// The bytes that are next, and whether they are the last. Nothing when there is nothing to tell.
  std::optional<std::pair<Buffer, bool>> take();
  /// The highest offset that came.
  std::uint64_t highest() const { return highest_; }
  bool read_done() const { return told_end_; }

  StreamId id;
  std::uint64_t max_out;         // how far the peer lets us write
  std::uint64_t max_in;          // how far we told it
  std::uint64_t unconsumed = 0;  // told, not yet used up
  std::uint64_t consumed = 0;
  bool fin_queued = false;
  bool owes_window = false;   // max_in has to be told
  bool owes_drained = false;  // write_stream was used, or refused, since the last StreamDrained
  bool was_full = false;      // write_stream failed for want of room

 private:
  struct Piece {
    std::uint64_t offset;
    Buffer bytes;
  };

  Buffer out_;  // from base_ on, after head_ bytes that are done with
  std::size_t head_ = 0;
  std::uint64_t base_ = 0;  // all before it is acknowledged
  std::uint64_t sent_ = 0;
  std::uint64_t end_ = 0;
  Intervals acknowledged_;  // beyond base_
  Intervals lost_;
  bool fin_sent_ = false;
  bool fin_acknowledged_ = false;

  std::uint64_t next_ = 0;
  std::uint64_t highest_ = 0;
  std::optional<std::uint64_t> final_size_;
  bool told_end_ = false;
  std::vector<Piece> pieces_;  // by offset
};

}  // namespace pw::quic::standin
