#include "quic/send_buffer.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::quic {

void SendBuffer::append(ByteView bytes) {
  if (bytes.empty()) return;
  end_ += bytes.size();
  if (!chunks_.empty()) {
    Buffer& last = chunks_.back();
    const std::size_t room = std::min(last.capacity() - last.size(), bytes.size());
    last.insert(last.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(room));
    bytes = bytes.subspan(room);
    if (bytes.empty()) return;
  }
  Buffer& chunk = chunks_.emplace_back();
  chunk.reserve(std::max(bytes.size(), kChunk));
  chunk.assign(bytes.begin(), bytes.end());
}

std::size_t SendBuffer::gather(std::span<ngtcp2_vec> out) const {
  std::size_t used = 0;
  std::size_t skip = sent_in_chunk_;
  for (std::size_t i = sent_chunk_; i < chunks_.size() && used < out.size(); ++i) {
    const Buffer& chunk = chunks_[i];
    if (chunk.size() > skip)
      out[used++] = {const_cast<std::uint8_t*>(chunk.data()) + skip, chunk.size() - skip};  // only ever read
    skip = 0;
  }
  return used;
}

void SendBuffer::sent(std::size_t n) {
  PW_CHECK(n <= unsent());
  sent_ += n;
  sent_in_chunk_ += n;
  while (sent_chunk_ < chunks_.size() && sent_in_chunk_ >= chunks_[sent_chunk_].size()) {
    if (sent_chunk_ + 1 == chunks_.size()) break;  // its tail may still grow
    sent_in_chunk_ -= chunks_[sent_chunk_].size();
    ++sent_chunk_;
  }
}

void SendBuffer::acknowledged(std::uint64_t offset) {
  PW_CHECK(offset <= sent_);
  acknowledged_ = std::max(acknowledged_, offset);
  std::size_t done = 0;
  while (done < chunks_.size() && front_ + chunks_[done].size() <= acknowledged_) front_ += chunks_[done++].size();
  if (done == chunks_.size()) {
    chunks_ = {};  // an idle stream holds nothing
    sent_chunk_ = sent_in_chunk_ = 0;
    return;
  }
  chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(done));
  sent_chunk_ -= done;
}

}  // namespace pw::quic
