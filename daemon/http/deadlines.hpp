// How long a client may take.
#pragma once

#include <cstddef>

#include "base/time.hpp"

namespace pw::http {

inline constexpr Duration kHeaderDeadline = 10s;  // from the first byte, or the connection, to the end of the header
inline constexpr Duration kBodyDeadline = 10s;
inline constexpr Duration kIdleDeadline = 75s;         // longer than the usual scrape interval of 60 s
inline constexpr Duration kWriteDeadline = 30s;        // one reply; 1 MB at 0.3 Mbit/s
inline constexpr Duration kStreamWriteDeadline = 10s;  // one piece of a live stream
inline constexpr Duration kStreamTick = 200ms;         // how long an event waits before it is sent
inline constexpr Duration kStreamKeepAlive = 15s;      // under the idle time-out of common proxies
inline constexpr Duration kLingerDeadline = 2s;        // after the last reply, for the client to read it

inline constexpr std::size_t kMaxLinger = 1UL << 20;  // bytes thrown away during kLingerDeadline

/// The deadlines that tests shorten.
struct Deadlines {
  Duration header = kHeaderDeadline;
  Duration body = kBodyDeadline;
  Duration idle = kIdleDeadline;
  Duration write = kWriteDeadline;
  Duration stream_write = kStreamWriteDeadline;
  Duration keep_alive = kStreamKeepAlive;
};

}  // namespace pw::http
