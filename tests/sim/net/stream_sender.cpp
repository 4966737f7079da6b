#include "sim/net/stream_sender.hpp"

#include <algorithm>
#include <utility>

namespace pw::net {

StreamSender::StreamSender(const StreamOptions& options)
    : options_{options}, congestion_window_{kInitialWindow * options.segment} {}

std::size_t StreamSender::write(ByteView bytes) {
  if (finishing_) return 0;
  const ByteView fits = bytes.first(std::min(bytes.size(), room()));
  data_.insert(data_.end(), fits.begin(), fits.end());
  return fits.size();
}

bool StreamSender::handle_ack(Instant now, std::uint64_t ack, std::uint32_t window, bool bare) {
  if (ack > high_) return false;
  if (ack < una_) return true;  // overtaken by a later one
  const std::uint64_t window_before = std::exchange(window_, window);
  if (window == 0 && stalled_since_ != kNever) stalled_since_ = now;  // it lives, it has no room
  if (ack == una_) {
    if (window_before == 0 && window > 0 && una_ > 0) {  // whatever went out as a probe was turned away
      nxt_ = una_;
      retransmit_at_ = stalled_since_ = kNever;
      return true;
    }
    if (!bare || window != window_before || window == 0 || una_ == nxt_) return true;
    ++duplicates_;
    if (recover_) {
      congestion_window_ += options_.segment;
    } else if (duplicates_ == 3) {
      threshold_ = std::max<std::uint64_t>(under_way() / 2, 2 * options_.segment);
      congestion_window_ = threshold_ + 3 * options_.segment;
      recover_ = high_;
      again_ = true;
      timed_.reset();
    }
    return true;
  }

  const std::uint64_t progress = ack - una_;
  const std::uint64_t data = std::min(ack, end()) - 1 - acked_;
  data_.erase(data_.begin(), data_.begin() + static_cast<std::ptrdiff_t>(data));
  acked_ += data;
  una_ = ack;
  nxt_ = std::max(nxt_, una_);
  duplicates_ = 0;
  if (timed_ && ack > timed_->first) {
    measure(now - timed_->second);
    timed_.reset();
  }
  if (recover_ && ack < *recover_) {  // RFC 6582: the next hole
    congestion_window_ -= std::min(congestion_window_ - options_.segment, progress);
    congestion_window_ += options_.segment;
    again_ = true;
  } else if (recover_) {
    congestion_window_ = threshold_;
    recover_.reset();
  } else if (congestion_window_ < threshold_) {
    congestion_window_ += std::min<std::uint64_t>(progress, options_.segment);
  } else {
    congestion_window_ += std::max<std::uint64_t>(1, options_.segment * options_.segment / congestion_window_);
  }
  if (srtt_ > Duration{}) rto_ = std::clamp(srtt_ + 4 * rttvar_, kMinRto, kMaxRto);
  const bool waiting = una_ < nxt_;
  retransmit_at_ = waiting ? now + rto_ : kNever;
  stalled_since_ = waiting ? now : kNever;
  return true;
}

void StreamSender::measure(Duration rtt) {
  least_rtt_ = std::min(least_rtt_, rtt);
  if (rtt > least_rtt_ + least_rtt_ / 2 + kQueue) threshold_ = std::min(threshold_, congestion_window_);
  if (srtt_ == Duration{}) {
    srtt_ = rtt;
    rttvar_ = rtt / 2;
  } else {
    rttvar_ = (3 * rttvar_ + std::chrono::abs(srtt_ - rtt)) / 4;
    srtt_ = (7 * srtt_ + rtt) / 8;
  }
}

StreamSender::Piece StreamSender::piece(std::uint64_t from, std::uint64_t to) const {
  Piece p;
  p.seq = from;
  p.syn = from == 0;
  if (p.syn) return p;
  p.fin = finishing_ && to == end() + 1;
  const auto first = static_cast<std::ptrdiff_t>(from - 1 - acked_);
  const auto last = static_cast<std::ptrdiff_t>(std::min(to, end()) - 1 - acked_);
  if (first < last) p.data.assign(data_.begin() + first, data_.begin() + last);
  return p;
}

std::optional<StreamSender::Piece> StreamSender::next() {
  // SYN alone; then data, and FIN with the last of it.
  const std::uint64_t last = nxt_ == 0 ? 1 : una_ == 0 ? nxt_ : end() + (finishing_ ? 1 : 0);
  if (nxt_ >= last) return std::nullopt;
  std::uint64_t limit = una_ + std::min(window_, congestion_window_);
  if (std::exchange(probe_, false)) limit = std::max(limit, nxt_ + 1);
  if (nxt_ == end() && finishing_) limit = std::max(limit, nxt_ + 1);  // FIN needs no room
  if (nxt_ >= limit) return std::nullopt;
  const std::uint64_t to = std::min({last, limit, nxt_ + options_.segment});
  // No dribble through a window that is all but closed (RFC 1122 section 4.2.3.4).
  if (to < last && to - nxt_ < options_.segment && under_way() > 0) return std::nullopt;
  Piece p = piece(nxt_, to);
  nxt_ = to;
  return p;
}

std::optional<StreamSender::Piece> StreamSender::poll(Instant now) {
  if (std::exchange(again_, false) && una_ < nxt_) {
    const std::uint64_t last = una_ == 0 ? 1 : nxt_;
    return piece(una_, std::min(last, una_ + options_.segment));
  }
  const std::uint64_t from = nxt_;
  auto p = next();
  if (!p) {
    // A closed window opens with a packet that may be lost: it is asked after.
    if (retransmit_at_ == kNever && una_ > 0 && una_ == nxt_ && !data_.empty()) {
      retransmit_at_ = now + rto_;
      stalled_since_ = now;
    }
    return p;
  }
  if (from >= high_ && !timed_) timed_ = {from, now};
  high_ = std::max(high_, nxt_);
  if (stalled_since_ == kNever) stalled_since_ = now;
  if (retransmit_at_ == kNever) retransmit_at_ = now + rto_;
  return p;
}

Instant StreamSender::poll_timeout() const {
  if (retransmit_at_ == kNever) return kNever;
  return earlier(retransmit_at_, saturating_add(stalled_since_, una_ == 0 ? options_.connect_timeout : options_.give_up));
}

bool StreamSender::handle_timeout(Instant now) {
  if (poll_timeout() > now) return true;
  if (retransmit_at_ > now || now - stalled_since_ >= (una_ == 0 ? options_.connect_timeout : options_.give_up)) return false;
  lost(now);
  return true;
}

/// Nothing was heard for long: all that is under way counts as lost, and is sent again from its beginning.
void StreamSender::lost(Instant now) {
  if (una_ < nxt_ && window_ > 0) {
    threshold_ = std::max<std::uint64_t>(under_way() / 2, 2 * options_.segment);
    congestion_window_ = options_.segment;
  }
  recover_.reset();
  duplicates_ = 0;
  again_ = false;
  timed_.reset();
  nxt_ = una_;
  probe_ = true;
  rto_ = std::min(2 * rto_, window_ == 0 ? kMaxProbe : kMaxRto);
  retransmit_at_ = now + rto_;
}

}  // namespace pw::net
