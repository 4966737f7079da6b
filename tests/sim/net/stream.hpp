// Stream: one reliable connection as one of its ends keeps it. Sans-IO: segments in, segments out, a deadline.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/names.hpp"
#include "sim/net/stream_receiver.hpp"
#include "sim/net/stream_sender.hpp"
#include "sim/net/tcp_segment.hpp"

namespace pw::net {

/// From `closed` on: it is over, and nothing more comes.
enum class StreamEvent : std::uint8_t {
  connected,  // who connected: the other side agreed
  accepted,   // who listened
  readable,   // there is more to read
  writable,   // there is room again after a write that did not fit
  ended,      // the other side has closed, and all that it wrote was read; this side may go on writing
  closed,     // both sides have, and everything arrived
  reset,      // the other side knows nothing of it, or ended it at once
  refused,    // while connecting
  timed_out   // no progress for too long
};
constexpr auto names(StreamEvent) {
  using namespace std::string_view_literals;
  return std::array{"connected"sv, "accepted"sv, "readable"sv, "writable"sv, "ended"sv,
                    "closed"sv,    "reset"sv,    "refused"sv,  "timed-out"sv};
}

class Stream {
 public:
  /// How long who closed first still answers: a lost acknowledgement of FIN is asked for again within that time. One
  /// that comes later is answered with a reset, which at the end of a stream means the same.
  static constexpr Duration kLinger = 10s;

  static Stream connect(const StreamOptions& options, std::uint32_t tag) { return {options, tag, State::connecting}; }
  static Stream accept(const StreamOptions& options, const TcpSegment& syn) {
    return {options, syn.tag, State::accepting};
  }

  void handle_segment(Instant now, const TcpSegment& segment);
  void handle_timeout(Instant now);

  /// How many of these bytes found room. None after finish() and before it is connected there is room, too.
  std::size_t write(ByteView bytes);
  Buffer read(std::size_t most);
  /// Nothing more will be written. What was written still arrives, and what comes can still be read.
  void finish() { sender_.finish(); }
  /// At once, for both sides; without an event.
  void abort();

  std::optional<Buffer> poll_transmit(Instant now);
  std::optional<StreamEvent> poll_event();
  Instant poll_timeout() const;
  /// Over, and does not linger any more.
  bool gone() const { return state_ == State::over && linger_until_ == kNever && !reset_; }

  std::uint32_t tag() const { return tag_; }
  const StreamSender& sender() const { return sender_; }
  const StreamReceiver& receiver() const { return receiver_; }

 private:
  enum class State : std::uint8_t { connecting, accepting, open, over };
  Stream(const StreamOptions& options, std::uint32_t tag, State state)
      : tag_{tag}, state_{state}, sender_{options}, receiver_{options.receive_buffer}, segment_{options.segment} {}
  void take_data(const TcpSegment& segment);
  void tell_progress(Instant now);
  void end(StreamEvent how);
  TcpSegment blank() const;

  std::uint32_t tag_;
  State state_;
  StreamSender sender_;
  StreamReceiver receiver_;
  std::size_t segment_;
  std::deque<StreamEvent> events_;
  bool ack_needed_ = false;
  bool reset_ = false;       // to be sent
  bool wants_room_ = false;  // a write did not fit
  bool ended_told_ = false;
  bool ended_first_ = false;  // the other side's end came before ours was acknowledged
  std::size_t advertised_ = 0;
  Instant linger_until_ = kNever;
};

}  // namespace pw::net
