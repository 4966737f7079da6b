#include "wire/framing.hpp"

#include <google/protobuf/message_lite.h>
#include <google/protobuf/stubs/logging.h>

#include "base/check.hpp"

namespace pw::wire {
namespace {

// Protobuf prints what it dislikes about its input to stderr unless told otherwise; what a peer sends is not for there.
const bool kQuiet = [] {
  google::protobuf::SetLogHandler(nullptr);
  return true;
}();

}  // namespace

std::optional<Result<Buffer>> FrameReader::next() {
  constexpr std::ptrdiff_t kLength = 4;
  if (pending_.size() < kLength) return std::nullopt;
  const std::uint32_t size = ByteReader{pending_}.u32();
  if (size > kMaxControlMessage) return Result<Buffer>{fail("a control message is longer than 64 KiB")};
  if (pending_.size() - kLength < size) return std::nullopt;
  const auto end = pending_.begin() + kLength + static_cast<std::ptrdiff_t>(size);
  Buffer message(pending_.begin() + kLength, end);
  pending_.erase(pending_.begin(), end);
  if (pending_.empty()) Buffer{}.swap(pending_);
  return message;
}

Buffer frame(const google::protobuf::MessageLite& message) {
  PW_CHECK(kQuiet);
  const std::size_t size = message.ByteSizeLong();
  PW_CHECK(size <= kMaxControlMessage);
  Buffer out;
  out.reserve(4 + size);
  ByteWriter{out}.u32(static_cast<std::uint32_t>(size));
  out.resize(4 + size);
  PW_CHECK(message.SerializeToArray(out.data() + 4, static_cast<int>(size)));
  return out;
}

bool parse(google::protobuf::MessageLite& out, ByteView message) {
  PW_CHECK(kQuiet);
  return message.size() <= kMaxControlMessage && out.ParseFromArray(message.data(), static_cast<int>(message.size()));
}

}  // namespace pw::wire
