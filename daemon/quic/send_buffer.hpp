// The bytes of one stream from write_stream until the other side has acknowledged them. ngtcp2 keeps pointers to what
// it sent and reads them again when it retransmits, so bytes never move while they are here.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"

namespace pw::quic {

class SendBuffer {
 public:
  void append(ByteView bytes);
  /// Bytes that were not sent yet, as many as fit into `out`; the number of vectors used, none of them empty.
  std::size_t gather(std::span<ngtcp2_vec> out) const;
  /// ngtcp2 took `n` of the gathered bytes.
  void sent(std::size_t n);
  /// Everything before this offset of the stream is acknowledged; those bytes are freed.
  void acknowledged(std::uint64_t offset);

  /// Unsent or unacknowledged.
  std::size_t size() const { return static_cast<std::size_t>(end_ - acknowledged_); }
  std::size_t unsent() const { return static_cast<std::size_t>(end_ - sent_); }

 private:
  /// Small writes share a chunk: a frame of the control stream is seldom longer.
  static constexpr std::size_t kChunk = 256;

  std::vector<Buffer> chunks_;  // never reallocated once they hold bytes
  std::uint64_t front_ = 0;     // stream offset of the first byte of chunks_[0]
  std::uint64_t acknowledged_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t end_ = 0;
  std::size_t sent_chunk_ = 0;  // where sent_ lies
  std::size_t sent_in_chunk_ = 0;
};

}  // namespace pw::quic
