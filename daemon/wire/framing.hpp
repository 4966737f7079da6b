// How messages travel on a stream: each behind its length, 4 bytes, big-endian, at most kMaxControlMessage.
#pragma once

#include <cstddef>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace google::protobuf {
class MessageLite;
}

namespace pw::wire {

inline constexpr std::size_t kMaxControlMessage = 64 << 10;

/// Cuts a stream into messages. Holds at most one of them and what was fed behind it.
class FrameReader {
 public:
  void feed(ByteView bytes) { pending_.insert(pending_.end(), bytes.begin(), bytes.end()); }
  /// Nothing yet, a message without its length, or an error, after which the stream is of no more use.
  std::optional<Result<Buffer>> next();

 private:
  Buffer pending_;
};

/// The message with its length in front; the caller sees to it that it is not too long.
Buffer frame(const google::protobuf::MessageLite& message);
/// False: it is none.
bool parse(google::protobuf::MessageLite& out, ByteView message);

}  // namespace pw::wire
