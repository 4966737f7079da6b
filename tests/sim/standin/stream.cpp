#include "sim/standin/stream.hpp"

#include <algorithm>
#include <utility>

namespace pw::quic::standin {

// ---- out

void Stream::append(ByteView bytes) {
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  end_ += bytes.size();
}

std::optional<Chunk> Stream::next(std::size_t room, std::uint64_t credit) const {
  for (const Interval& gap : lost_.all()) {
    const std::uint64_t from = std::max(gap.from, base_);
    if (from >= gap.to) continue;
    const std::size_t size = std::min<std::uint64_t>(gap.to - from, room);
    return Chunk{id, from, size, fin_queued && from + size == end_};
  }
  const std::uint64_t limit = std::min(end_, std::min(max_out, sent_ + credit));
  const std::size_t size = std::min<std::uint64_t>(limit - std::min(limit, sent_), room);
  const bool fin = fin_queued && !fin_sent_ && sent_ + size == end_;
  if (size == 0 && !fin) return std::nullopt;
  return Chunk{id, sent_, size, fin};
}

ByteView Stream::bytes_of(const Chunk& c) const {
  return ByteView{out_}.subspan(head_ + static_cast<std::size_t>(c.offset - base_), c.size);
}

std::uint64_t Stream::sent(const Chunk& c) {
  fin_sent_ |= c.fin;
  if (c.offset == sent_) {
    sent_ += c.size;
    return c.size;
  }
  while (!lost_.empty() && lost_.front().from < c.offset + c.size) {
    Interval& gap = lost_.front();
    if (gap.to > c.offset + c.size) {
      gap.from = c.offset + c.size;
      break;
    }
    lost_.pop_front();
  }
  return 0;
}

void Stream::acknowledged(const Chunk& c) {
  fin_acknowledged_ |= c.fin;
  acknowledged_.add(std::max(c.offset, base_), c.offset + c.size);
  if (acknowledged_.empty() || acknowledged_.front().from > base_) return;
  const std::uint64_t done = acknowledged_.front().to;
  head_ += static_cast<std::size_t>(done - base_);
  base_ = done;
  acknowledged_.pop_front();
  if (head_ == out_.size()) {
    out_ = {};  // an idle stream holds nothing
    head_ = 0;
  } else if (head_ > out_.size() / 2) {
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Stream::lost(const Chunk& c) {
  if (c.fin && !fin_acknowledged_) fin_sent_ = false;
  std::uint64_t from = std::max(c.offset, base_);
  const std::uint64_t to = c.offset + c.size;
  for (const Interval& known : acknowledged_.all()) {
    if (known.to <= from || known.from >= to) continue;
    lost_.add(from, known.from);
    from = known.to;
  }
  lost_.add(from, to);
}

// ---- in

bool Stream::receive(std::uint64_t offset, ByteView bytes, bool fin) {
  const std::uint64_t to = offset + bytes.size();
  if (to > max_in) return false;
  highest_ = std::max(highest_, to);
  if (fin) final_size_ = to;
  if (to <= next_ || bytes.empty()) return true;
  const auto at = std::ranges::upper_bound(pieces_, offset, {}, &Piece::offset);
  pieces_.insert(at, {offset, Buffer(bytes.begin(), bytes.end())});
  return true;
}

std::optional<std::pair<Buffer, bool>> Stream::take() {
  Buffer bytes;
  std::size_t used = 0;
  for (; used < pieces_.size() && pieces_[used].offset <= next_; ++used) {
    Piece& p = pieces_[used];
    const std::uint64_t skip = next_ - p.offset;
    if (skip >= p.bytes.size()) continue;
    next_ += p.bytes.size() - skip;
    if (bytes.empty() && skip == 0)
      bytes = std::move(p.bytes);
    else
      bytes.insert(bytes.end(), p.bytes.begin() + static_cast<std::ptrdiff_t>(skip), p.bytes.end());
  }
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(used));
  if (pieces_.empty()) pieces_ = {};
  const bool end = final_size_ == next_ && !told_end_;
  if (bytes.empty() && !end) return std::nullopt;
  told_end_ |= end;
  unconsumed += bytes.size();
  return std::pair{std::move(bytes), end};
}

}  // namespace pw::quic::standin
