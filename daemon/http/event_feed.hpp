// What one live stream has still to send: a cursor in the recent events, so that a stream holds no queue of its own.
// Text in the format of server-sent events (WHATWG HTML, section 9.2).
#pragma once

#include <string>

#include "http/message.hpp"
#include "observe/recent.hpp"

namespace pw::http {

class EventFeed {
 public:
  static constexpr std::size_t kMaxEntries = 256;  // in one piece of text: about 100 KiB

  EventFeed(StreamStart start, const observe::RecentEvents& recent);

  struct Piece {
    std::string text;          // empty: nothing new
    std::uint64_t events = 0;  // in the text
    std::uint64_t lost = 0;    // not 0: the ring ran over this reader while it was live; it must go
  };
  /// What comes next. The first piece says when events between the reader's last visit and now are gone, as the event
  /// "missed" with how many at most (null if the reader's number is from before this daemon started).
  Piece next();
  /// How many events the reader does not get if it is dropped now.
  std::uint64_t pending() const;

 private:
  std::string greeting();
  StreamStart start_;
  const observe::RecentEvents& recent_;
  bool greeted_ = false;
  std::uint64_t seen_oldest_ = 0;  // 0: the ring was empty
};

}  // namespace pw::http
