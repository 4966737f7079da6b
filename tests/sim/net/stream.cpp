#include "sim/net/stream.hpp"

#include <algorithm>

namespace pw::net {
namespace {

/// The number nearest to an expected one that ends in these 32 bits.
std::uint64_t whole(std::uint64_t expected, std::uint32_t wire) {
  return expected + static_cast<std::uint64_t>(
                        static_cast<std::int64_t>(static_cast<std::int32_t>(wire - static_cast<std::uint32_t>(expected))));
}

}  // namespace

void Stream::handle_segment(Instant now, const TcpSegment& s) {
  if (state_ == State::over) {
    ack_needed_ = linger_until_ != kNever && s.fin;
    return;
  }
  if (s.rst) {
    const bool all_said = receiver_.complete() && sender_.finishing() && sender_.buffered() == 0;
    return end(state_ == State::connecting ? StreamEvent::refused : all_said ? StreamEvent::closed : StreamEvent::reset);
  }
  if (!s.has_ack || (state_ == State::connecting && !s.syn)) return;
  const bool bare = s.data.empty() && !s.syn && !s.fin;
  if (!sender_.handle_ack(now, whole(sender_.unacknowledged(), s.ack), s.window, bare)) return;
  if (sender_.unacknowledged() == 0) return;
  if (state_ != State::open) {
    events_.push_back(state_ == State::connecting ? StreamEvent::connected : StreamEvent::accepted);
    state_ = State::open;
  }
  ack_needed_ |= !bare;
  if (!s.syn) take_data(s);
  tell_progress(now);
}

void Stream::take_data(const TcpSegment& s) {
  const std::uint64_t seq = whole(receiver_.next(), s.seq);
  if (!s.data.empty() && receiver_.accept(seq, s.data)) events_.push_back(StreamEvent::readable);
  if (s.fin) receiver_.end_at(seq + s.data.size());
  if (receiver_.complete() && !sender_.done()) ended_first_ = true;
}

void Stream::tell_progress(Instant now) {
  if (wants_room_ && sender_.room() >= sender_.buffered()) {
    wants_room_ = false;
    events_.push_back(StreamEvent::writable);
  }
  if (receiver_.drained() && !ended_told_) {
    ended_told_ = true;
    events_.push_back(StreamEvent::ended);
  }
  if (!sender_.done() || !receiver_.complete()) return;
  end(StreamEvent::closed);
  // Whose end was the last to be acknowledged needs not wait: the other side has everything.
  if (!ended_first_) linger_until_ = now + kLinger;
}

void Stream::end(StreamEvent how) {
  // Who listens knows nothing of one that was never accepted.
  if (state_ != State::accepting) events_.push_back(how);
  state_ = State::over;
}

void Stream::abort() {
  if (state_ == State::over) return;
  state_ = State::over;
  events_.clear();
  reset_ = true;
}

void Stream::handle_timeout(Instant now) {
  if (state_ == State::over) {
    if (linger_until_ <= now) linger_until_ = kNever;
    return;
  }
  if (!sender_.handle_timeout(now)) end(StreamEvent::timed_out);
}

std::size_t Stream::write(ByteView bytes) {
  if (state_ == State::over) return 0;
  const std::size_t n = sender_.write(bytes);
  wants_room_ |= n < bytes.size() && !sender_.finishing();
  return n;
}

Buffer Stream::read(std::size_t most) {
  Buffer out = receiver_.read(most);
  if (state_ == State::over) return out;
  if (receiver_.drained() && !ended_told_) {
    ended_told_ = true;
    events_.push_back(StreamEvent::ended);
  }
  // The window is told anew when that is worth a packet (RFC 1122 section 4.2.3.3).
  const std::size_t window = receiver_.window();
  if (window >= advertised_ + std::min(2 * segment_, (window + receiver_.readable()) / 2)) ack_needed_ = true;
  return out;
}

TcpSegment Stream::blank() const {
  TcpSegment s;
  s.tag = tag_;
  s.has_ack = state_ != State::connecting;
  s.ack = static_cast<std::uint32_t>(receiver_.next());
  s.window = static_cast<std::uint32_t>(std::min<std::size_t>(receiver_.window(), TcpSegment::kMaxWindow));
  return s;
}

std::optional<Buffer> Stream::poll_transmit(Instant now) {
  TcpSegment s = blank();
  if (reset_) {
    reset_ = false;
    s.rst = true;
    return s.encode();
  }
  if (state_ != State::over) {
    if (auto piece = sender_.poll(now)) {
      s.seq = static_cast<std::uint32_t>(piece->seq);
      s.syn = piece->syn;
      s.fin = piece->fin;
      s.data = std::move(piece->data);
      ack_needed_ = false;
      advertised_ = s.window;
      return s.encode();
    }
  }
  if (!ack_needed_ || (state_ == State::over && !sender_.done())) return std::nullopt;
  ack_needed_ = false;
  advertised_ = s.window;
  return s.encode();
}

std::optional<StreamEvent> Stream::poll_event() {
  if (events_.empty()) return std::nullopt;
  const StreamEvent e = events_.front();
  events_.pop_front();
  return e;
}

Instant Stream::poll_timeout() const { return state_ == State::over ? linger_until_ : sender_.poll_timeout(); }

}  // namespace pw::net
